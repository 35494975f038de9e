"""Weight-gradient vertices of dynamic block sparsity: one product of dense slices per non-zero block.

The plain vertex gives each worker its own blocks. The AMP vertex lets all workers share each block, and needs both
dense operands transposed first (:mod:`ipusim.codelets.sparse_block_transpose_grad_w`).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ipusim.codelets.dynamic_block import conv_units_of
from ipusim.codelets.dynamic_element_wise_grad_w import CALL_CYCLES, OWN_CYCLES, grad_w_supervisor_cycles
from ipusim.codelets.registry import Codelet
from ipusim.codelets.work import gradient_product_work
from ipusim.cost.arithmetic import ceil_div


def block_grad_w_worker_slots(
    n_rows: int, z: int, y_sum: int, block_size: int, float_input: bool, float_partials: bool
) -> int:
    """Return the worker slots of the plain vertex.

    Parameters
    ----------
    n_rows, z : int
        Rows of blocks of the worker; batch columns on the tile.
    y_sum : int
        Sum of the assumed row lengths in blocks; every row repeats the whole list.
    block_size : int
        4, 8 or 16.
    float_input, float_partials : bool
        float32 input and float32 partials.

    Returns
    -------
    int
        Issue slots of one worker; source: reference/sparse.md section 2.5.
    """
    if block_size == 4:
        start = 27 if float_input else 26
        row = 9
        block = 45 if float_input else 33 if float_partials else 29
        column = 12 if float_input else 6
    elif block_size == 8:
        start = 24 if float_input else 26
        row = 7 if float_input else 9
        block = 208 if float_input else 113
        column = 48 if float_input else 24
    else:
        start = 27
        row = 9
        block = 505 if float_partials else 441
        column = 96
    return start + n_rows * (row + y_sum * (block + z * column))


def block_grad_w_cycles(
    n_own_buckets: int,
    sub_groups_per_bucket: int,
    n_rows: int,
    z: int,
    y_sum: int,
    block_size: int,
    float_input: bool,
    float_partials: bool,
    workers: int,
) -> int:
    """Return the estimated cycles of the plain weight-gradient vertex."""
    supervisor = grad_w_supervisor_cycles(75, n_own_buckets, sub_groups_per_bucket)
    return supervisor + workers * block_grad_w_worker_slots(n_rows, z, y_sum, block_size, float_input, float_partials)


def amp_grad_w_cycles(
    n_own_buckets: int,
    sub_groups_per_bucket: int,
    n_rows: int,
    z: int,
    n_lists: int,
    y_sum: int,
    block_size: int,
    float_input: bool,
    float_partials: bool,
    conv_units: int,
    workers: int,
) -> int:
    """Return the estimated cycles of the AMP weight-gradient vertex (reference/sparse.md section 2.5).

    Parameters as in :func:`block_grad_w_worker_slots`, with `n_lists` row lengths in the list; `conv_units` of the AMP
    matter for blocks of 16.
    """
    chunk = 8 if float_input else 16
    chunks = ceil_div(z, chunk)
    half_units = block_size == 16 and conv_units == 4
    load = 8 if block_size == 4 else 16 if block_size == 8 else 32
    run = 17 if half_units else 8
    per_block = 15 + 4 * (chunks - 1) + chunks * (run + load)
    supervisor = grad_w_supervisor_cycles(75, n_own_buckets, sub_groups_per_bucket) + 23 + 8 * (n_rows - 1)
    supervisor += n_rows * (22 * n_lists + 10 * y_sum + y_sum * per_block)

    finish = 6 if half_units and float_partials else 5
    if block_size == 4:
        overlap = 2 if float_partials and not float_input else 1
        run_slots = 20 if float_input else 17 if float_partials else 15
    elif block_size == 8:
        overlap = 2 if float_input else 4
        run_slots = 33 if float_input else 27
    elif half_units:
        overlap = 2
        run_slots = 62 if float_partials else 58
    else:
        overlap = 4
        run_slots = 32
    return supervisor + workers * (finish + n_rows * y_sum * (run_slots * chunks - overlap * (chunks - 1)))


def plain_piece_slots(
    worker_rows: int, worker_blocks: int, z: int, block_size: int, float_input: bool, float_partials: bool
) -> int:
    """Return the slots of a worker of the plain vertex with `worker_blocks` blocks in `worker_rows` rows."""
    formats = (block_size, float_input, float_partials)
    blocks = block_grad_w_worker_slots(1, z, worker_blocks, *formats) - block_grad_w_worker_slots(1, z, 0, *formats)
    return block_grad_w_worker_slots(worker_rows, z, 0, *formats) + blocks


def amp_piece_cycles(
    n_rows: int,
    n_blocks: int,
    z: int,
    block_size: int,
    float_input: bool,
    float_partials: bool,
    conv_units: int,
    workers: int,
) -> int:
    """Return the cycles of the AMP vertex for one sub-group of `n_blocks` blocks in `n_rows` rows, without the call."""
    cycles = amp_grad_w_cycles(
        1, 1, 1, z, n_rows, n_blocks, block_size, float_input, float_partials, conv_units, workers
    )
    return cycles + 8 * (n_rows - 1) - CALL_CYCLES


def amp_pieces_cycles(
    n_pieces: int,
    n_rows: int,
    n_blocks: int,
    z: int,
    block_size: int,
    float_input: bool,
    float_partials: bool,
    conv_units: int,
    workers: int,
) -> int:
    """Return the cycles of the AMP vertex for `n_pieces` sub-groups with so many rows and blocks together."""
    formats = (z, block_size, float_input, float_partials, conv_units, workers)
    one = amp_piece_cycles(1, 1, *formats)
    per_row = amp_piece_cycles(2, 1, *formats) - one
    per_block = amp_piece_cycles(1, 2, *formats) - one
    return n_pieces * one + (n_rows - n_pieces) * per_row + (n_blocks - n_pieces) * per_block


def _cycles(fields: Mapping[str, int], settings: Mapping[str, Any], chip: Any) -> int:
    pieces = fields["own_sub_groups"]
    if not settings["amp"]:
        return CALL_CYCLES + OWN_CYCLES * pieces + int(chip.worker_contexts) * fields["worker_slots"]
    inputs, partials = settings["inputs"], settings["partials"]
    formats = (int(settings["block_size"]), inputs == "float32", partials == "float32")
    units = conv_units_of(chip, inputs, partials)
    counts = (pieces, fields["rows"], fields["blocks"], fields["cols"])
    return CALL_CYCLES + amp_pieces_cycles(*counts, *formats, units, int(chip.worker_contexts))


CODELET = Codelet(
    name="dynamic_block_grad_w",
    fields=("own_sub_groups", "rows", "blocks", "worker_slots", "cols"),
    cycles=_cycles,
    source="poplibs popsparse SparseDenseMatMulBlockGradW and its AMP variant, estimates",
    work=gradient_product_work,
)
