"""Plans of scatters: how indices, dictionary and columns of a table are cut over the tiles.

A tile holds some columns of some rows, and adds to them what it gets of the updates that name one of these rows. Where
the indices are cut, tiles have the same part of the table: one of them starts with it, the others with zeros, in
float32, and their sums are added up.
"""

from __future__ import annotations

from functools import cache

from ipusim.chip.model import Chip
from ipusim.codelets import cast_1d, multi_update_add, reduce_add
from ipusim.codelets.multi_slice import INDEX_BYTES
from ipusim.cost.arithmetic import ceil_div
from ipusim.cost.exchange import rate_sixteenths, receive_cycles
from ipusim.formats import number_format
from ipusim.ir.graph import Graph
from ipusim.ir.tensor import Op
from ipusim.plan.problem import PlanOptions
from ipusim.plan.table_split import (
    TableMachine,
    TablePlan,
    TableProblem,
    TableSplit,
    largest_share,
    table_machine,
    table_problem,
    table_splits,
    tiles_of,
)

WIDE_BYTES = 4
"""Of the partial sums where the indices are cut."""


def plan_scatter_add(graph: Graph, op: Op, chip: Chip, options: PlanOptions) -> TablePlan:
    """Return the cut with the least estimated cycles whose temporary data meet the bound, if any does.

    Of equals the one with the least temporary data, then the one with the fewest tiles.
    """
    table, indices = graph.tensors[op.inputs[0]], graph.tensors[op.inputs[2]]
    problem = table_problem(table, indices, op.attrs, number_format(table.dtype).bytes)
    rate = rate_sixteenths(chip.exchange_bytes_per_cycle)
    machine = table_machine(chip, rate, options.available_memory_proportion)
    return _best(problem, machine, chip.tile_sram_bytes, chip.sram_element_bytes)


@cache
def _best(problem: TableProblem, machine: TableMachine, sram_bytes: int, sram_element_bytes: int) -> TablePlan:
    found = []
    for split in table_splits(problem, machine.n_tiles):
        terms, temporary = scatter_terms(problem, split, machine, sram_bytes, sram_element_bytes)
        excess = max(0, temporary - machine.temporary_bytes)
        found.append((excess, sum(terms.values()), temporary, tiles_of(split), split, terms))
    _, _, temporary, _, split, terms = min(found, key=lambda each: each[:5])
    return TablePlan("multi_update_add", terms, temporary, problem, split)


def scatter_terms(
    problem: TableProblem, split: TableSplit, machine: TableMachine, sram_bytes: int, sram_element_bytes: int
) -> tuple[dict[str, int], int]:
    """Return the estimated cycles of a cut, and the temporary bytes of its largest tile.

    Every part of the dictionary is assumed to have its share of the indices: no program knows their values.
    """
    rate, workers, size = machine.rate_sixteenths, machine.workers, problem.element_bytes
    rows, elements, lookups = largest_share(problem, split)
    summed = split.lookups > 1
    sum_bytes = WIDE_BYTES if summed else size
    found = ceil_div(lookups, split.dictionary)
    owned = ceil_div(rows * elements, split.lookups)
    added = 0
    if summed:
        fewer = ceil_div(problem.dictionary // split.dictionary * elements, split.lookups)
        added = max(
            reduce_add.vertex_cycles(
                sums, split.lookups, size == WIDE_BYTES, True, False, sram_bytes, sram_element_bytes, workers
            )
            for sums in (owned, max(1, fewer))
        )
    others = (lookups - lookups // split.dictionary) * elements * size
    terms = {
        "operands": receive_cycles(lookups * INDEX_BYTES, rate),
        "updates": receive_cycles(others, rate),
        "copy": cast_1d.planner_cast_cycles(rows * elements, 8 // size, 8 // sum_bytes, workers),
        "update": multi_update_add.vertex_cycles(found, lookups - found, elements, sum_bytes, False, workers),
        "partials": receive_cycles(owned * sum_bytes * (split.lookups - 1), rate),
        "reduce": added,
        "phases": (1 + summed) * machine.phase_cycles + (2 + summed) * machine.launch_cycles,
    }
    temporary = lookups * (INDEX_BYTES + elements * size)
    temporary += (rows * elements + owned * (split.lookups - 1)) * sum_bytes if summed else 0
    return terms, temporary
