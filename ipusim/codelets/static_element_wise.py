"""Vertex of static element-wise sparsity (block size 1): rows of single non-zeros times columns of the dense operand.

One supervisor vertex per tile. Each worker walks over whole rows (two groups of workers share the rows, and halve the
columns, when a tile has very few rows). The columns are processed in chunks of two 64-bit vectors, and every non-zero
costs its slots once per chunk. The time is linear in the worker's rows and non-zeros, so it needs only their counts.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ipusim.chip.model import Chip
from ipusim.codelets.registry import Codelet
from ipusim.codelets.work import Traffic, columns_of, single_product_work
from ipusim.cost.arithmetic import ceil_div
from ipusim.cost.energy import Work
from ipusim.cost.sparse_units import gathered_slots, skipping_cycles, sparse_units
from ipusim.ir.program import VertexSet

SOURCE = "poplibs lib/popsparse/StaticMatMulPartitioner.cpp, matmulComputeCycles; reference/sparse.md section 1.6"


def static_worker_slots(n_rows: int, n_non_zeros: int, n_cols: int, float_input: bool, gather_elements: int = 0) -> int:
    """Return the issue slots of one worker.

    Parameters
    ----------
    n_rows, n_non_zeros : int
        Rows of the worker that hold a non-zero, and their non-zeros.
    n_cols : int
        Columns of the dense operand that the worker computes; a multiple of the 64-bit vector (4 half, 2 float).
    float_input : bool
        float32 data rather than float16.
    gather_elements : int
        Elements that the gather units of a tile multiply per cycle; 0 without them. They take over the loop over a
        row's non-zeros but for its first.

    Returns
    -------
    int
        Slots; a slot of one worker is a cycle of the supervisor times the number of workers.
    """
    further = n_non_zeros - n_rows
    if float_input:
        chunks = n_cols // 4
        tails = 1 if n_cols % 4 else 0
        loop = gathered_slots(further * (3 * chunks + 2 * tails), further * n_cols, gather_elements)
        if n_cols == 2:
            return 29 + 5 * n_rows + loop
        if n_cols == 4:
            return 30 + 6 * n_rows + loop
        return 31 + n_rows * (12 + 10 * chunks + 10 * tails) + loop
    chunks = n_cols // 8
    tails = 1 if n_cols % 8 else 0
    loop = gathered_slots(further * (3 * chunks + 2 * tails), further * n_cols, gather_elements)
    if n_cols == 4:
        return 31 + 7 * n_rows + loop
    if n_cols == 8:
        return 31 + 8 * n_rows + loop
    return 33 + n_rows * (11 + 14 * chunks + 9 * tails) + loop


def static_element_wise_cycles(
    n_rows: int, n_non_zeros: int, n_cols: int, float_input: bool, workers: int, gather_elements: int = 0
) -> int:
    """Return the supervisor cycles of a vertex whose slowest worker has these rows, non-zeros and columns."""
    return workers * static_worker_slots(n_rows, n_non_zeros, n_cols, float_input, gather_elements)


def _cycles(fields: Mapping[str, int], settings: Mapping[str, Any], chip: Any) -> int:
    workers, n_m = int(chip.worker_contexts), bool(settings.get("n_m", False))
    units = sparse_units(chip, 1, settings["inputs"], settings["partials"], n_m)
    cycles = static_element_wise_cycles(
        fields["worker_rows"],
        fields["worker_non_zeros"],
        fields["worker_cols"],
        settings["inputs"] == "float32",
        workers,
        units.gather_elements,
    )
    if not units.skip_rows:
        return cycles
    whole = (fields["rows"], fields["non_zeros"], ceil_div(fields["cols"], workers))
    passes = skipping_cycles(
        *whole,
        units.skip_rows,
        units.skip_weights,
        units.skip_load_cycles,
        units.skip_column_slots,
        units.skip_fill_slots,
        workers,
    )
    return min(cycles, passes)


def _work(vertices: VertexSet, chip: Chip, traffic: Traffic) -> Work:  # noqa: ARG001
    values, _, sums = vertices.operands
    width = chip.vector_width(str(vertices.settings["inputs"]))
    columns = -(-columns_of(sums.regions.box) // width) * width
    non_zeros = values.regions.n_elements
    macs, stored = int((non_zeros * columns).sum()), int(sums.regions.n_elements.sum())
    return single_product_work(vertices, macs, int(non_zeros.sum()), stored)


CODELET = Codelet(
    name="static_element_wise",
    fields=("worker_rows", "worker_non_zeros", "worker_cols", "rows", "non_zeros", "cols"),
    cycles=_cycles,
    source=SOURCE,
    work=_work,
)
