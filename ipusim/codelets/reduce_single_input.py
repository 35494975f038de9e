"""Reduction of one run of elements to a single value, by one worker."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ipusim.codelets.reduce_common import accumulator_width, is_add, load_width, vector_width
from ipusim.codelets.registry import Codelet


def worker_cycles(elements: int, float_partials: bool, float_out: bool, interleaved: bool, add: bool) -> int:
    """Return the worker slots to reduce `elements` elements to one.

    Parameters
    ----------
    elements : int
        Elements of the run.
    float_partials, float_out : bool
        32-bit rather than 16-bit.
    interleaved : bool
        The run lies in interleaved memory.
    add : bool
        A sum or sum of squares, which runs on the accumulators.

    Notes
    -----
    Source: poplibs lib/popops/reduction/CycleEstimationFunctions.cpp (dense reference, section 3.1).
    """
    width = accumulator_width(float_partials) if add else vector_width(float_partials)
    loads = width // load_width(width, float_partials, interleaved)
    return 9 + loads * elements // width + 5 + elements % width + 3 + (0 if float_out else 5)


def _cycles(fields: Mapping[str, int], settings: Mapping[str, Any], chip: Any) -> int:
    return int(chip.worker_contexts) * worker_cycles(
        fields["elements"],
        settings["partials"] == "float32",
        settings["output"] == "float32",
        bool(settings.get("interleaved", False)),
        is_add(str(settings["op"])),
    )


CODELET = Codelet(
    name="reduce_single_input",
    fields=("elements",),
    cycles=_cycles,
    source="poplibs popops single-input reduction estimate",
    one_worker=True,
)
