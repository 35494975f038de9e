"""Vertex of dynamic block sparsity: blocks of weights, loaded into the AMP one by one, times the dense operand.

One vertex serves the forward pass (a row of blocks keeps its output position, ``retain_x``) and the transposed pass,
which has to set the output position block by block. Every worker sees all blocks and works on its share of the columns.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ipusim.chip.model import Chip
from ipusim.codelets.registry import Codelet
from ipusim.codelets.work import Traffic, block_product_work, operand_columns
from ipusim.cost.energy import Work
from ipusim.cost.sparse_units import (
    NO_UNITS,
    SparseUnits,
    listed_block_cycles,
    listed_row_cycles,
    sparse_units,
    use_lists,
)
from ipusim.ir.program import VertexSet

CALL_CYCLES = 42
"""Supervisor cycles of a call of the executed vertex."""
SCAN_CYCLES = 33
"""Of a sub-group of another region, or of the end of an empty bucket."""
OWN_CYCLES = 102
"""Of a sub-group of the tile's own region."""


def coefficient_load_cycles(block_size: int, float_input: bool) -> int:
    """Return the cycles of loading one block of weights, 64 bits per cycle."""
    return block_size * block_size // (2 if float_input else 4)


def weight_passes(block_size: int, conv_units: int) -> int:
    """Return how often the workers run per block: twice where 16 outputs meet 8 conv units."""
    return 2 if block_size == 16 and conv_units == 8 else 1


def column_slots_of(block_size: int, float_input: bool) -> int:
    """Return the worker slots per column of the dense operand and weight pass."""
    if block_size == 16:
        return 4
    return block_size if float_input else block_size // 2


def start_slots(block_size: int, float_input: bool, float_partials: bool, conv_units: int) -> int:
    """Return the worker slots per call (per own bucket in the executed model)."""
    if block_size == 4:
        return 26
    if block_size == 8:
        return 20 if float_partials and not float_input else 23
    if float_partials or conv_units == 8:
        return 23
    return 22


def pass_slots(block_size: int, z: int, float_input: bool, float_partials: bool, conv_units: int) -> int:
    """Return the worker slots per block and weight pass apart from its `z` columns (reference/sparse.md 2.5)."""
    if block_size == 4:
        if float_partials and float_input:
            return 14
        return (17 if float_partials else 15) + (0 if z == 1 else 1 if z == 2 else 2)
    if block_size == 8:
        if float_partials and float_input:
            return 22 if z <= 2 else 23
        return (22 if float_partials else 19) + (0 if z == 1 else 1)
    first = 22 if conv_units == 16 and not float_partials else 24
    return first + (1 if z == 2 else 0)


def supervisor_cycles(
    n_buckets: int,
    n_own_buckets: int,
    sub_groups_per_bucket: int,
    n_rows: int,
    y_sum: int,
    block_size: int,
    float_input: bool,
    conv_units: int,
    retain_x: bool,
) -> int:
    """Return the supervisor cycles: scan of the buckets, weight loads, and the starts of the workers.

    Parameters
    ----------
    n_buckets, n_own_buckets, sub_groups_per_bucket : int
        Buckets on the tile, those with the tile's own sub-group, and sub-groups in each.
    n_rows, y_sum : int
        Rows of blocks, and the sum of the assumed row lengths in blocks; every row repeats the whole list.
    block_size, conv_units : int
        Edge of a block, and conv units of the AMP for these formats.
    float_input, retain_x : bool
        float32 input; output position kept along a row (forward pass).

    Returns
    -------
    int
        Cycles; source: reference/sparse.md section 2.5.
    """
    load = coefficient_load_cycles(block_size, float_input) + 3 + 12 * weight_passes(block_size, conv_units)
    scan = 33 * (n_buckets - n_own_buckets) * sub_groups_per_bucket
    own = n_own_buckets * (23 * (sub_groups_per_bucket + 1) + 56)
    return 40 + scan + own + (y_sum * load + (1 if retain_x else 0)) * n_rows + 2


def worker_slots(
    n_rows: int,
    z: int,
    y_sum: int,
    block_size: int,
    float_input: bool,
    float_partials: bool,
    conv_units: int,
    retain_x: bool,
) -> int:
    """Return the worker slots for all blocks and `z` columns of the worker (reference/sparse.md section 2.5)."""
    per_pass = pass_slots(block_size, z, float_input, float_partials, conv_units)
    per_pass += z * column_slots_of(block_size, float_input) - (3 if retain_x else 0)
    start = start_slots(block_size, float_input, float_partials, conv_units)
    return start + n_rows * y_sum * weight_passes(block_size, conv_units) * per_pass


def saved_by_lists(
    n_rows: int,
    n_blocks: int,
    z: int,
    block_size: int,
    float_input: bool,
    float_partials: bool,
    conv_units: int,
    workers: int,
    column_slots: float,
    list_fill_slots: float,
    block_fill_slots: float,
) -> int:
    """Return the cycles that an AMP with block lists saves in the forward pass; 0 without one.

    Parameters
    ----------
    n_rows, n_blocks, z : int
        Rows of blocks, their blocks, and the most columns of a worker; the rest as in :func:`piece_cycles`.
    column_slots, list_fill_slots, block_fill_slots : float
        As in :class:`~ipusim.cost.sparse_units.SparseUnits`.
    """
    if column_slots <= 0:
        return 0
    passes = weight_passes(block_size, conv_units)
    load = coefficient_load_cycles(block_size, float_input)
    slots = pass_slots(block_size, z, float_input, float_partials, conv_units) - 3
    slots += z * column_slots_of(block_size, float_input)
    one_by_one = load + 3 + 12 * passes + workers * passes * slots
    listed_block = listed_block_cycles(z, load, column_slots, block_fill_slots, workers)
    listed_row = listed_row_cycles(list_fill_slots, workers)
    if not use_lists(listed_block, listed_row, one_by_one):
        return 0
    return n_blocks * (one_by_one - listed_block) - n_rows * listed_row


def block_cycles(
    n_buckets: int,
    n_own_buckets: int,
    sub_groups_per_bucket: int,
    n_rows: int,
    z: int,
    y_sum: int,
    block_size: int,
    float_input: bool,
    float_partials: bool,
    conv_units: int,
    retain_x: bool,
    workers: int,
    column_slots: float = 0.0,
    list_fill_slots: float = 0.0,
    block_fill_slots: float = 0.0,
) -> int:
    """Return the estimated cycles of the vertex (parameters as in the functions it adds up)."""
    supervisor = supervisor_cycles(
        n_buckets, n_own_buckets, sub_groups_per_bucket, n_rows, y_sum, block_size, float_input, conv_units, retain_x
    )
    saved = saved_by_lists(
        n_rows,
        n_rows * y_sum,
        z,
        block_size,
        float_input,
        float_partials,
        conv_units,
        workers,
        column_slots,
        list_fill_slots,
        block_fill_slots,
    )
    return (
        supervisor
        - saved
        + workers * worker_slots(n_rows, z, y_sum, block_size, float_input, float_partials, conv_units, retain_x)
    )


def piece_cycles(
    n_rows: int,
    n_blocks: int,
    z: int,
    block_size: int,
    float_input: bool,
    float_partials: bool,
    conv_units: int,
    retain_x: bool,
    workers: int,
    column_slots: float = 0.0,
    list_fill_slots: float = 0.0,
    block_fill_slots: float = 0.0,
) -> int:
    """Return the cycles of an own sub-group of `n_blocks` blocks in `n_rows` rows.

    Every worker sees all blocks; `z` is the most columns that one of them has. Linear in rows and blocks.
    Source: reference/MODEL_DYNAMIC.md section 3.
    """
    passes = weight_passes(block_size, conv_units)
    slots = pass_slots(block_size, z, float_input, float_partials, conv_units) + z * column_slots_of(
        block_size, float_input
    )
    per_block = coefficient_load_cycles(block_size, float_input) + 3 + 12 * passes
    per_block += workers * passes * (slots - (3 if retain_x else 0))
    start = workers * start_slots(block_size, float_input, float_partials, conv_units)
    saved = saved_by_lists(
        n_rows,
        n_blocks,
        z,
        block_size,
        float_input,
        float_partials,
        conv_units,
        workers,
        column_slots,
        list_fill_slots,
        block_fill_slots,
    )
    return OWN_CYCLES + start + (n_rows if retain_x else 0) + n_blocks * per_block - saved


def conv_units_of(chip: Any, inputs: str, partials: str) -> int:
    """Return the conv units of the AMP of `chip` for these formats; 0 where it has no such mode."""
    return max((mode.units for mode in chip.amp_modes if (mode.inputs, mode.partials) == (inputs, partials)), default=0)


def forward_units(chip: Any, block_size: int, inputs: str, partials: str, transposed: bool) -> SparseUnits:
    """Return what `chip` offers for this vertex: nothing when transposed, where each block has sums of its own."""
    return NO_UNITS if transposed else sparse_units(chip, block_size, inputs, partials)


def _cycles(fields: Mapping[str, int], settings: Mapping[str, Any], chip: Any) -> int:
    inputs, partials = settings["inputs"], settings["partials"]
    formats = (int(settings["block_size"]), inputs == "float32", partials == "float32")
    units, retain_x = conv_units_of(chip, inputs, partials), not settings.get("transposed", False)
    offered = forward_units(chip, formats[0], inputs, partials, not retain_x)[:3]
    counts = (fields["rows"], fields["blocks"], fields["worker_cols"])
    # a vertex is linear in its sub-groups: one of them holds all rows and blocks, the others only start
    whole = piece_cycles(*counts, *formats, units, retain_x, chip.worker_contexts, *offered)
    empty = piece_cycles(0, 0, fields["worker_cols"], *formats, units, retain_x, chip.worker_contexts, *offered)
    cycles = CALL_CYCLES + SCAN_CYCLES * fields["other_sub_groups"]
    return cycles + whole + (fields["own_sub_groups"] - 1) * empty if fields["own_sub_groups"] else cycles


def _work(vertices: VertexSet, chip: Chip, traffic: Traffic) -> Work:  # noqa: ARG001
    blocks, size = vertices.fields["blocks"], int(str(vertices.settings["block_size"]))
    macs = int((blocks * operand_columns(vertices, 1)).sum()) * size * size
    return block_product_work(vertices, chip, macs, int(blocks.sum()))


CODELET = Codelet(
    name="dynamic_block",
    fields=("own_sub_groups", "other_sub_groups", "rows", "blocks", "worker_cols"),
    cycles=_cycles,
    source="poplibs popsparse SparseDenseMatMulBlock estimate",
    work=_work,
)
