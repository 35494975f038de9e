"""Reduction of rows that lie at a fixed stride, one worker per run of outputs."""

from __future__ import annotations

from collections.abc import Mapping
from math import gcd
from typing import Any

from ipusim.codelets.reduce_common import accumulator_width, is_add, load_width, vector_width
from ipusim.codelets.registry import Codelet
from ipusim.cost.arithmetic import ceil_div, round_up


def operation_cycles(log_add: bool, float_partials: bool) -> int:
    """Return the worker slots to combine two vectors: 1, or the logarithm of a sum of exponentials."""
    if not log_add:
        return 1
    return 23 if float_partials else 13


def store_cycles(float_partials: bool, float_out: bool, add: bool, update: bool, operation: int) -> int:
    """Return the worker slots after a column of vectors: convert, combine with the old value (`update`), store."""
    if float_partials:
        if update:
            return (3 if add else 2) + (5 if float_out else 4) + operation - 1
        return 5 if add else 4
    if add and float_out:
        return 12 if update else 7
    if add:
        return 10 if update else 8
    return 10 + operation if update else 8


def worker_cycles(
    outputs: int,
    partials: int,
    stride: int,
    outer_strides: int,
    float_partials: bool,
    float_out: bool,
    interleaved: bool,
    add: bool,
    log_add: bool,
    update: bool,
) -> int:
    """Return the worker slots of a strided reduction.

    Parameters
    ----------
    outputs : int
        Elements produced by this worker.
    partials : int
        Rows reduced in each of the outer strides.
    stride : int
        Elements from one row to the next.
    outer_strides : int
        Groups of rows.
    float_partials, float_out : bool
        32-bit rather than 16-bit.
    interleaved : bool
        Partials in interleaved memory.
    add, log_add : bool
        The operator is a sum (or sum of squares); or the logarithm of a sum of exponentials. Else a maximum, a
        minimum or a product.
    update : bool
        The result is combined with the old value.

    Notes
    -----
    Source: poplibs lib/popops/reduction/CycleEstimationFunctions.cpp (dense reference, section 3.1).
    """
    operation = operation_cycles(log_add, float_partials)
    width = accumulator_width(float_partials) if add else vector_width(float_partials)
    loops = ceil_div(outputs, gcd(load_width(width, float_partials, interleaved), stride))
    store = store_cycles(float_partials, float_out, add, update, operation)
    return 16 + loops * (3 + store + outer_strides * (3 + operation * (partials - 1)))


def worker_outputs(outputs: int, float_out: bool, workers: int) -> int:
    """Return the outputs of the busiest worker when whole 64-bit vectors of `outputs` are shared."""
    width = vector_width(float_out)
    return ceil_div(round_up(outputs, width) // width, workers) * width


def _cycles(fields: Mapping[str, int], settings: Mapping[str, Any], chip: Any) -> int:
    float_out, op = settings["output"] == "float32", str(settings["op"])
    return int(chip.worker_contexts) * worker_cycles(
        worker_outputs(fields["outputs"], float_out, chip.worker_contexts),
        fields["partials"],
        fields["stride"],
        fields["outer_strides"],
        settings["partials"] == "float32",
        float_out,
        bool(settings.get("interleaved", False)),
        is_add(op),
        op == "log_add",
        bool(settings.get("update", False)),
    )


CODELET = Codelet(
    name="reduce_strided",
    fields=("outputs", "partials", "stride", "outer_strides"),
    cycles=_cycles,
    source="poplibs popops strided reduction estimate",
)
