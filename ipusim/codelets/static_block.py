"""Vertex of static block sparsity (block sizes 4, 8, 16): rows of non-zero blocks times columns of the dense operand.

One supervisor vertex per tile. For each block the supervisor loads the block's values into the AMP's weights, then runs
all workers over their share of the columns: every worker sees every block, and only the columns are divided. float32
blocks of 16 are processed as two halves of 16x8.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ipusim.chip.model import Chip
from ipusim.codelets.registry import Codelet
from ipusim.codelets.work import Traffic, block_product_work
from ipusim.cost.arithmetic import ceil_div
from ipusim.cost.energy import Work
from ipusim.cost.sparse_units import listed_block_cycles, listed_row_cycles, sparse_units
from ipusim.ir.program import VertexSet

SOURCE = "poplibs lib/popsparse/StaticMatMulPartitioner.cpp, matmulComputeCycles; reference/sparse.md section 1.6"


def block_worker_slots(block_size: int, n_cols: int, float_input: bool) -> int:
    """Return the slots of one worker for one block and `n_cols >= 1` columns."""
    if float_input:
        if block_size == 4:
            return 12 + 4 * (n_cols - 1)
        if block_size == 8:
            return 19 + 8 * (n_cols - 1)
        return 58 if n_cols == 1 else 2 * (37 + 8 * (n_cols - 1))
    if block_size == 4:
        return 7 + n_cols if n_cols <= 2 else 13 + n_cols
    if block_size == 8:
        return 14 + 2 * (n_cols - 1)
    return 19 + 4 * (n_cols - 1)


def block_header_slots(block_size: int, float_input: bool) -> int:
    """Return the slots that each worker spends once per vertex."""
    if float_input:
        return 16 if block_size == 16 else 13
    return 17 if block_size == 4 else 13


def static_block_cycles(
    n_rows: int,
    n_blocks: int,
    n_cols: int,
    block_size: int,
    float_input: bool,
    workers: int,
    load_bytes_per_cycle: int,
    column_slots: float = 0.0,
    list_fill_slots: float = 0.0,
    block_fill_slots: float = 0.0,
) -> int:
    """Return the supervisor cycles of a vertex.

    Parameters
    ----------
    n_rows, n_blocks : int
        Block rows on the tile, and all their non-zero blocks.
    n_cols : int
        Columns of the dense operand on the slowest worker.
    block_size : int
        4, 8 or 16.
    float_input : bool
        float32 data rather than float16.
    workers, load_bytes_per_cycle : int
        Worker contexts of a tile, and the rate at which AMP weights are loaded (8 bytes).
    column_slots, list_fill_slots, block_fill_slots : float
        Of an AMP with block lists (:class:`~ipusim.cost.sparse_units.SparseUnits`); 0 without them. They are used where
        they are quicker.

    Returns
    -------
    int
        Cycles; without lists, the time is linear in rows and blocks.
    """
    element_bytes = 4 if float_input else 2
    load = block_size * block_size * element_bytes // load_bytes_per_cycle
    row = (4 if float_input and block_size >= 8 else 1) * workers + 17
    block = 16 + load + block_worker_slots(block_size, n_cols, float_input) * workers
    cycles = n_rows * row + n_blocks * block
    if column_slots > 0:
        listed_block = listed_block_cycles(n_cols, load, column_slots, block_fill_slots, workers)
        cycles = min(cycles, n_rows * (row + listed_row_cycles(list_fill_slots, workers)) + n_blocks * listed_block)
    return 30 + block_header_slots(block_size, float_input) * workers + cycles


def static_zeroing_cycles(n_elements: int, workers: int) -> int:
    """Return the supervisor cycles of zeroing float32 partial sums (`n_elements` of 4 bytes, 8 bytes per slot).

    Only vertices with float32 partials and block sizes 8 and 16 need it. Source: zeroingCycles in the same file.
    """
    return workers * (12 + ceil_div(n_elements * 4 // 8, workers))


def needs_zeroing(block_size: int, float_partials: bool) -> bool:
    """Return whether the partial sums have to be zeroed before the vertex runs."""
    return float_partials and block_size >= 8


def _cycles(fields: Mapping[str, int], settings: Mapping[str, Any], chip: Any) -> int:
    block_size = int(settings["block_size"])
    float_input = settings["inputs"] == "float32"
    units = sparse_units(chip, block_size, settings["inputs"], settings["partials"])
    cycles = static_block_cycles(
        fields["rows"],
        fields["blocks"],
        fields["worker_cols"],
        block_size,
        float_input,
        chip.worker_contexts,
        chip.amp_load_bytes_per_cycle,
        *units[:3],
    )
    if not needs_zeroing(block_size, settings["partials"] == "float32"):
        return cycles
    return cycles + static_zeroing_cycles(fields["rows"] * block_size * fields["cols"], chip.worker_contexts)


def _work(vertices: VertexSet, chip: Chip, traffic: Traffic) -> Work:  # noqa: ARG001
    fields, size = vertices.fields, int(str(vertices.settings["block_size"]))
    macs = int((fields["blocks"] * fields["cols"]).sum()) * size * size
    return block_product_work(vertices, chip, macs, int(fields["blocks"].sum()))


CODELET = Codelet(
    name="static_block",
    fields=("rows", "blocks", "cols", "worker_cols"),
    cycles=_cycles,
    source=SOURCE,
    work=_work,
)
