"""Reduction of runs of elements that follow one another, each to one value, by one worker."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ipusim.codelets.reduce_common import accumulator_width, load_width
from ipusim.codelets.registry import Codelet


def worker_cycles(outputs: int, partials: int, float_partials: bool, interleaved: bool, update: bool) -> int:
    """Return the worker slots to reduce `outputs` runs of `partials` elements each.

    Parameters
    ----------
    outputs, partials : int
        Runs, and elements of each.
    float_partials : bool
        32-bit rather than 16-bit.
    interleaved : bool
        The runs lie in interleaved memory.
    update : bool
        The results are combined with the old values.

    Notes
    -----
    Source: poplibs lib/popops/reduction/CycleEstimationFunctions.cpp (dense reference, section 3.1). The operator
    makes no difference to the widths.
    """
    loads = partials // load_width(accumulator_width(float_partials), float_partials, interleaved)
    return 17 + outputs * (loads + 12) + (2 if partials % 2 else 0) + (1 if update else 0)


def _cycles(fields: Mapping[str, int], settings: Mapping[str, Any], chip: Any) -> int:
    return int(chip.worker_contexts) * worker_cycles(
        fields["outputs"],
        fields["partials"],
        settings["partials"] == "float32",
        bool(settings.get("interleaved", False)),
        bool(settings.get("update", False)),
    )


CODELET = Codelet(
    name="reduce_continuous",
    fields=("outputs", "partials"),
    cycles=_cycles,
    source="poplibs popops continuous reduction estimate",
    one_worker=True,
)
