"""A comparison as a picture: heat maps over conditions, block sizes and densities, and curves of the speed-up."""

from __future__ import annotations

import io
import math
import os
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal

from ipusim.kernels.jit import cache_folder
from ipusim.report.compare_words import (
    Document,
    condition_key,
    condition_text,
    constant_text,
    density_text,
    speedup_text,
    values_of,
    varying,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Kind = Literal["svg", "png"]

_MOST_NUMBERS = 1000
_MOST_DOUBLINGS = 4.0
_PANEL_INCHES = (5.0, 3.6)
_PANELS_ACROSS = 3
_STYLES = {"static": "-", "dynamic": "--"}


def plot_comparison(document: Document, kind: Kind = "svg") -> bytes:
    """Return a picture of a comparison, the same bytes for the same document.

    Above, for each mode, a heat map: a row per condition, a column per block size and density. The colour is the
    speed-up on a logarithmic scale of up to 16 times, pale where sparse and dense take the same time; grey is where
    there is no figure. Below, for each number of features and number format, the speed-up against the density; of
    several batches, each method at its fastest, dense included.
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

    modes = values_of(document["cells"], "mode")
    panels = _panels(document)
    map_inches = 1.6 + 0.28 * len(document["baselines"])
    rows_of_panels = math.ceil(len(panels) / _PANELS_ACROSS)
    heights = [*(map_inches for _ in modes), *(_PANEL_INCHES[1] for _ in range(rows_of_panels))]
    figure = Figure(figsize=(_PANEL_INCHES[0] * _PANELS_ACROSS, sum(heights) + 0.6), layout="constrained")
    figure.suptitle(f"{document['workload']} on {document['chip']}: speed-up of sparse over dense")
    grid = figure.add_gridspec(len(heights), _PANELS_ACROSS, height_ratios=heights)
    for row, mode in enumerate(modes):
        cells = [cell for cell in document["cells"] if cell["mode"] == mode]
        _heat_map(figure.add_subplot(grid[row, :]), cells, mode)
    for index, (title, series) in enumerate(panels.items()):
        place = grid[len(modes) + index // _PANELS_ACROSS, index % _PANELS_ACROSS]
        _curves(figure.add_subplot(place), series, title)
    return figure


def _heat_map(axes: Axes, cells: Sequence[Document], mode: str) -> None:
    import numpy as np
    from matplotlib.colors import TwoSlopeNorm

    keys = varying(cells)
    rows = {condition_key(cell): ", ".join(str(cell[key]) for key in keys) for cell in cells}
    places = list(dict.fromkeys((cell["block_size"], cell["density"]) for cell in cells))
    found = {(condition_key(cell), cell["block_size"], cell["density"]): cell["speedup"] for cell in cells}
    values = np.full((len(rows), len(places)), np.nan)
    for row, key in enumerate(rows):
        for column, place in enumerate(places):
            speedup = found.get((key, *place))
            if speedup:
                values[row, column] = math.log2(speedup)
    known = values[np.isfinite(values)]
    limit = min(max(1.0, float(np.abs(known).max(initial=0.0))), _MOST_DOUBLINGS)
    axes.set_facecolor("0.8")
    image = axes.imshow(values, cmap="RdYlGn", norm=TwoSlopeNorm(0.0, -limit, limit), aspect="auto")
    axes.set_xticks(range(len(places)), [f"b {size}\n{density_text(density)}" for size, density in places], fontsize=7)
    axes.set_yticks(range(len(rows)), list(rows.values()), fontsize=7)
    axes.set_ylabel(", ".join(keys), fontsize=8)
    axes.set_title(f"{mode}  {constant_text(cells)}", loc="left", fontsize=10)
    if values.size <= _MOST_NUMBERS:
        for row, column in np.argwhere(np.isfinite(values)):
            doublings = float(values[row, column])
            text = speedup_text(2**doublings).rstrip("x")
            colour = "white" if abs(doublings) > 0.8 * limit else "black"
            axes.text(int(column), int(row), text, ha="center", va="center", fontsize=6, color=colour)
    whole = int(limit)
    ticks = list(range(-whole, whole + 1))
    figure = axes.get_figure()
    assert figure is not None
    bar = figure.colorbar(image, ax=axes, pad=0.01, ticks=ticks, extend="both")
    bar.ax.set_yticklabels([f"{2.0**power:g}x" for power in ticks], fontsize=7)


def _panels(document: Document) -> dict[str, dict[str, dict[float, float]]]:
    """Return for each number of features and format: mode and block size, to density, to speed-up at the best batch."""
    several = len(values_of(document["baselines"], "batch")) > 1
    best_dense: dict[tuple[Any, ...], float] = {}
    for cell in document["baselines"]:
        if cell["effective_tflops"]:
            key = (cell["features"], cell["dtype"])
            best_dense[key] = max(best_dense.get(key, 0.0), cell["effective_tflops"])
    panels: dict[str, dict[str, dict[float, float]]] = {}
    for cell in document["cells"]:
        key = (cell["features"], cell["dtype"])
        if not cell["effective_tflops"] or key not in best_dense:
            continue
        title = condition_text({**cell, "batch": None}) + (", each at its best batch" if several else "")
        points = panels.setdefault(title, {}).setdefault(f"{cell['mode']}, b {cell['block_size']}", {})
        speedup = cell["effective_tflops"] / best_dense[key]
        points[cell["density"]] = max(points.get(cell["density"], 0.0), speedup)
    return panels


def _curves(axes: Axes, series: Mapping[str, Mapping[float, float]], title: str) -> None:
    sizes = list(dict.fromkeys(name.partition(", ")[2] for name in series))
    densities = sorted({density for points in series.values() for density in points})
    for name, points in series.items():
        mode, _, size = name.partition(", ")
        across = sorted(points)
        colour = f"C{sizes.index(size) % 10}"
        style = _STYLES.get(mode, ":")
        axes.plot(across, [points[density] for density in across], style, color=colour, marker="o", ms=3, label=name)
    axes.axhline(1.0, color="0.5", linewidth=0.8)
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.invert_xaxis()
    axes.set_xticks(densities, [density_text(density) for density in densities], fontsize=7)
    axes.minorticks_off()
    values = [speedup for points in series.values() for speedup in points.values()]
    ticks = [tick for tick in (0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 20) if min(values) / 2 <= tick <= max(values) * 2]
    axes.set_yticks(ticks, [f"{tick:g}x" for tick in ticks], fontsize=7)
    axes.set_xlabel("density", fontsize=8)
    axes.set_title(title, fontsize=9)
    axes.legend(fontsize=6, ncols=2)
