"""An exploration as a picture: the Pareto front, and what each parameter explains."""

from __future__ import annotations

import io
import os
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Literal

from ipusim.kernels.jit import cache_folder
from ipusim.report.explore_scatter import is_wide
from ipusim.report.explore_words import figure_words, parameter_name

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Document = Mapping[str, Any]
Kind = Literal["svg", "png"]

_INCHES = (11.0, 5.0)


def plot_exploration(document: Document, kind: Kind = "svg") -> bytes:
    """Return a picture of an exploration, the same bytes for the same document.

    On the left the first two objectives of all allowed points with the Pareto front (or, of a single objective, its
    distribution); on the right the share of each objective's variance that each parameter explains alone.
    """
    os.environ.setdefault("MPLCONFIGDIR", str(cache_folder() / "matplotlib"))
    import matplotlib as mpl

    with mpl.rc_context():
        mpl.rcdefaults()
        mpl.rcParams["svg.hashsalt"] = "ipusim"
        figure = _figure(document)
        content = io.BytesIO()
        metadata: dict[str, Any] = {"Date": None} if kind == "svg" else {"Software": None}
        figure.savefig(content, format=kind, dpi=150, metadata=metadata)
    return content.getvalue()


def _figure(document: Document) -> Figure:
    from matplotlib.figure import Figure

    figure = Figure(figsize=_INCHES, layout="constrained")
    figure.suptitle(f"{document['space']}: {document['finished']:,} points")
    left, right = figure.subplots(1, 2, width_ratios=[3, 2])
    names = [each.partition(":")[0] for each in document["objectives"]]
    if len(names) > 1:
        _front(left, document, names)
    else:
        left.hist([each[0] for each in document["cloud"]], bins=40, color="tab:blue")
        left.set_xlabel(_label(names[0]))
        left.set_ylabel("points")
    _shares(right, document)
    return figure


def _front(axes: Axes, document: Document, names: list[str]) -> None:
    cloud = document["cloud"]
    axes.scatter([each[0] for each in cloud], [each[1] for each in cloud], s=8, color="0.7", label="allowed points")
    front = [[point["figures"][name] for name in names[:2]] for point in document["pareto"]]
    axes.plot([each[0] for each in front], [each[1] for each in front], "o", color="tab:red", label="Pareto front")
    for axis, index in (("x", 0), ("y", 1)):
        values = [each[index] for each in cloud]
        if values and is_wide(values):
            getattr(axes, f"set_{axis}scale")("log")
        getattr(axes, f"set_{axis}label")(_label(names[index]))
    axes.grid(alpha=0.3)
    axes.legend()


def _shares(axes: Axes, document: Document) -> None:
    objectives = list(document["sensitivity"])
    height = 0.8 / max(1, len(objectives))
    parameters = document["parameters"]
    for index, objective in enumerate(objectives):
        shares = {each["parameter"]: each["share"] for each in document["sensitivity"][objective]}
        places = [place + index * height for place in range(len(parameters))]
        label = figure_words(objective.partition(":")[0])
        axes.barh(places, [100 * shares.get(name, 0.0) for name in parameters], height=height, label=label)
    axes.set_yticks([place + 0.4 - height / 2 for place in range(len(parameters))], [*map(parameter_name, parameters)])
    axes.invert_yaxis()
    axes.set_xlim(0, 100)
    axes.set_xlabel("% of the variance explained alone")
    if len(objectives) > 1:
        axes.legend()


def _label(name: str) -> str:
    units = {"seconds": "s", "energy_j": "J", "power_w": "W", "area_mm2": "mm2"}
    unit = units.get(name, "B" if name.endswith("_bytes") else "")
    return f"{figure_words(name)} ({unit})" if unit else figure_words(name)
