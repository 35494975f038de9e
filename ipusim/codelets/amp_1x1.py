"""Matrix product of a few rows on the AMP units: the vertex of fully connected layers and 1x1 convolutions.

The vertex holds the weights of `units` output channels in the AMP units and streams its rows past them, once for each
pass over the output channels, each output group and each input group; the six workers share the rows.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ipusim.chip.amp import storage_format
from ipusim.codelets.registry import Codelet
from ipusim.codelets.work import amp_work
from ipusim.cost.arithmetic import ceil_div


def _saved_prologue(units: int, float_inputs: bool, float_partials: bool) -> bool:
    """Return whether the vertex keeps worker state between calls (all of Mk2's half variants)."""
    return not float_inputs and (float_partials or units == 16)


def worker_cycles(rows: int, zeroing: bool, units: int, float_inputs: bool, float_partials: bool) -> int:
    """Return the cycles (worker slots) of one worker for `rows` rows of one pass.

    Parameters
    ----------
    rows : int
        Rows of this worker; 0 is an item of no rows, not a missing worker.
    zeroing : bool
        First input group: the outputs are overwritten rather than accumulated.
    units : int
        AMP units in use.
    float_inputs, float_partials : bool
        32-bit rather than 16-bit.

    Notes
    -----
    Source: poplibs lib/poplin/PerformanceEstimation.hpp (dense reference, section 2.5).
    """
    first = 1 if zeroing else 0
    if float_inputs:
        zero = 8 if units == 16 else 4 if float_partials else 2
        if rows == 0:
            return 24
        if rows == 1:
            return 47 + first * (2 + zero)
        return 46 + first * (2 + zero * rows) + (8 * (rows - 3) if rows > 2 else 0)
    if units == 16 or float_partials:
        saved = 7 if _saved_prologue(units, float_inputs, float_partials) else 0
        if rows == 0:
            return 22 - first - saved
        if rows == 1:
            return 33 - first - saved
        if rows == 2:
            return 42 - first - saved
        return 38 - first + 4 * (rows - 3) - saved
    if rows == 0:
        return 24
    if rows == 1:
        return 39 + first * 4
    if rows == 2:
        return 40 + first * 6
    return 41 + first * (2 + 2 * rows) + 4 * (rows - 3)


def pass_cycles(one: int, other: int, workers: int) -> int:
    """Return the supervisor cycles of a pass whose workers take `one` or `other` slots."""
    return max(workers * max(one, other), workers * min(one, other) + 14)


def inner_cycles(rows: int, zeroing: bool, units: int, float_inputs: bool, float_partials: bool, workers: int) -> int:
    """Return the supervisor cycles of one pass of `rows` rows over all workers.

    The rows are split evenly; a worker without a row does nothing (dense reference, sections 2.4 and 2.5).
    """
    most = ceil_div(rows, workers)
    fewest = rows // workers
    slowest = worker_cycles(most, zeroing, units, float_inputs, float_partials) if most else 0
    quickest = worker_cycles(fewest, zeroing, units, float_inputs, float_partials) if fewest else 0
    return pass_cycles(slowest, quickest, workers) if most else 0


def vertex_cycles(
    rows: int,
    conv_groups: int,
    in_groups: int,
    out_groups: int,
    passes: int,
    load_cycles: int,
    units: int,
    float_inputs: bool,
    float_partials: bool,
    workers: int,
) -> int:
    """Return the supervisor cycles of a vertex as the published estimator counts them.

    Parameters
    ----------
    rows : int
        AMP rows (field elements) of the vertex.
    conv_groups, in_groups, out_groups : int
        Convolution groups, groups of input channels and groups of output channels.
    passes : int
        ``ceil(output channels per group / units)``.
    load_cycles : int
        Cycles to load the weights of one pass: ``units * 32 // load bytes per cycle``.
    units : int
        AMP units in use.
    float_inputs, float_partials : bool
        32-bit rather than 16-bit.
    workers : int
        Worker contexts of a tile.

    Notes
    -----
    Source: poplibs lib/poplin/PerformanceEstimation.hpp, ``getConvPartial1x1SupervisorCycleEstimate`` (dense
    reference, section 2.5).
    """
    constant = 1 if (not float_inputs and units == 16) or float_partials else 0
    accumulate = inner_cycles(rows, False, units, float_inputs, float_partials, workers)
    overwrite = inner_cycles(rows, True, units, float_inputs, float_partials, workers)
    later = 16 - constant + out_groups * (19 + passes * (6 + load_cycles + accumulate))
    first = 11 + out_groups * (19 - constant + passes * (7 + load_cycles + overwrite))
    total = 50 + conv_groups * (12 + constant + (in_groups - 1) * later + first)
    if _saved_prologue(units, float_inputs, float_partials):
        total += workers * (7 + 3 * (in_groups * conv_groups - 1))
    return total


def measured_line_cycles(
    rows: int,
    conv_groups: int,
    in_groups: int,
    out_groups: int,
    passes: int,
    load_cycles: int,
    cycles_per_row: float,
    fill_slots: float,
    zero_float: bool,
    prologue: bool,
    workers: int,
) -> int:
    """Return the supervisor cycles of a vertex with a worker time that is linear in its rows, as measured.

    A worker takes ``fill_slots + cycles_per_row * rows`` slots in each pass, whatever its rows.

    Parameters
    ----------
    rows, conv_groups, in_groups, out_groups, passes, load_cycles, workers : int
        As in :func:`vertex_cycles`.
    cycles_per_row : float
        Worker slots per row: 4 for 16-bit inputs, 8 for 32-bit ones.
    fill_slots : float
        Worker slots of a pass without rows.
    zero_float : bool
        32-bit inputs: the first input group clears its outputs, eight slots per row.
    prologue : bool
        The workers set up their state once, and touch it again for every further input group, as in
        :func:`vertex_cycles`.

    Notes
    -----
    Source: fit to the published Bow matmul rates (dense model notes, section 2.3), with the prologue of the published
    estimator, which the notes leave out and the measured cycles of a single vertex show (within 1 %).
    """
    most = ceil_div(rows, workers)
    fewest = rows // workers
    slowest = workers * (fill_slots + cycles_per_row * most) if most else 0.0
    quickest = workers * (fill_slots + cycles_per_row * fewest) + 14 if fewest else 0.0
    inner = max(slowest, quickest)
    clearing = workers * 8 * most if zero_float else 0
    later = 15 + out_groups * (19 + passes * (6 + load_cycles + inner))
    first = 11 + out_groups * (18 + passes * (7 + load_cycles + inner + clearing))
    setup = workers * (7 + 3 * (in_groups * conv_groups - 1)) if prologue else 0
    return int(50 + setup + conv_groups * (13 + (in_groups - 1) * later + first) + 0.5)


def quarter_worker_cycles(rows: int, zeroing: bool) -> int:
    """Return the worker slots of one pass of `rows` rows with 8-bit inputs (dense reference, section 2.5)."""
    saved = 5 if zeroing else 0
    if rows == 0:
        return 21
    if rows == 1:
        return 35 - saved
    if rows == 2:
        return 40 - saved
    return 44 - saved + 4 * (rows - 3)


def _quarter_inner_cycles(rows: int, zeroing: bool, workers: int) -> int:
    most = ceil_div(rows, workers)
    fewest = rows // workers
    slowest = quarter_worker_cycles(most, zeroing) if most else 0
    return pass_cycles(slowest, quarter_worker_cycles(fewest, zeroing) if fewest else 0, workers) if most else 0


def quarter_vertex_cycles(
    rows: int, conv_groups: int, in_groups: int, out_groups: int, load_cycles: int, workers: int
) -> int:
    """Return the supervisor cycles of a vertex with 8-bit inputs (parameters as in :func:`vertex_cycles`).

    Source: poplibs lib/poplin/PerformanceEstimation.hpp (dense reference, section 2.5). One pass: the estimator
    exists for 16 units and 16 output channels only.
    """
    accumulate = _quarter_inner_cycles(rows, False, workers)
    overwrite = _quarter_inner_cycles(rows, True, workers)
    first = (6 * workers + 10) + (14 * workers + 11 + 36) + load_cycles + overwrite
    later = (in_groups - 1) * ((11 * workers + 6 + 36) + load_cycles + accumulate)
    return 46 + conv_groups * ((2 * workers + 9) + out_groups * (first + later))


def _arguments(
    fields: Mapping[str, int], settings: Mapping[str, Any], chip: Any
) -> tuple[int, int, int, int, int, int]:
    load_cycles = int(settings["units"]) * chip.amp_weight_bytes_per_unit // chip.amp_load_bytes_per_cycle
    groups = (fields["rows"], fields["conv_groups"], fields["in_groups"], fields["out_groups"])
    return *groups, int(settings["passes"]), load_cycles


def _quarter(fields: Mapping[str, int], settings: Mapping[str, Any], chip: Any) -> int:
    rows, conv_groups, in_groups, out_groups, passes, load_cycles = _arguments(fields, settings, chip)
    return quarter_vertex_cycles(rows, conv_groups, in_groups, out_groups * passes, load_cycles, chip.worker_contexts)


def _cycles(fields: Mapping[str, int], settings: Mapping[str, Any], chip: Any) -> int:
    inputs, partials = storage_format(settings["inputs"]), storage_format(settings["partials"])
    if inputs == "float8":
        return _quarter(fields, settings, chip)
    wanted = (inputs, partials, settings["units"], settings["in_channels"])
    mode = next(row for row in chip.amp_modes if (row.inputs, row.partials, row.units, row.in_channels) == wanted)
    arguments = _arguments(fields, settings, chip)
    zero_float = inputs == "float32"
    prologue = _saved_prologue(mode.units, zero_float, partials == "float32")
    return measured_line_cycles(
        *arguments, mode.cycles_per_row, mode.worker_fill_slots, zero_float, prologue, chip.worker_contexts
    )


def _estimate(fields: Mapping[str, int], settings: Mapping[str, Any], chip: Any) -> int:
    inputs = storage_format(settings["inputs"])
    if inputs == "float8":
        return _quarter(fields, settings, chip)
    formats = (inputs == "float32", settings["partials"] == "float32")
    return vertex_cycles(*_arguments(fields, settings, chip), int(settings["units"]), *formats, chip.worker_contexts)


CODELET = Codelet(
    name="amp_1x1",
    fields=("rows", "conv_groups", "in_groups", "out_groups"),
    cycles=_cycles,
    source="poplibs ConvPartial1x1Out estimate with the worker line fitted to published Bow rates",
    estimate=_estimate,
    launch_included=True,
    work=amp_work,
)
