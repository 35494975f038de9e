"""Plans of gathers: how indices, dictionary and columns of a table are cut over the tiles.

A tile holds some columns of some rows. It gets some of the indices and copies what it has of the rows that they name.
Where the dictionary is cut, it then gets what the other parts have copied, for some of its indices, and picks for each
of them the one that has the row: the two stages of poplibs' MultiSlice. Where the indices are cut, tiles share a part
of the table, hold an equal part of it each, and send it to one another first.
"""

from __future__ import annotations

from functools import cache

from ipusim.chip.model import Chip
from ipusim.codelets.multi_slice import INDEX_BYTES, vertex_cycles
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
    uneven_bytes,
)


def plan_gather(graph: Graph, op: Op, chip: Chip, options: PlanOptions) -> TablePlan:
    """Return the cut with the least estimated cycles whose temporary and lasting data meet the bounds, if any does.

    Of equals the one with the least temporary data, then the one with the fewest tiles.
    """
    table, indices = (graph.tensors[name] for name in op.inputs)
    problem = table_problem(table, indices, op.attrs, number_format(table.dtype).bytes)
    rate = rate_sixteenths(chip.exchange_bytes_per_cycle)
    return _best(problem, table_machine(chip, rate, options.available_memory_proportion))


@cache
def _best(problem: TableProblem, machine: TableMachine) -> TablePlan:
    found = []
    for split in table_splits(problem, machine.n_tiles):
        terms, temporary = gather_terms(problem, split, machine)
        excess = max(0, temporary - machine.temporary_bytes) + uneven_bytes(problem, split, machine)
        found.append((excess, sum(terms.values()), temporary, tiles_of(split), split, terms))
    _, _, temporary, _, split, terms = min(found, key=lambda each: each[:5])
    return TablePlan("multi_slice", terms, temporary, problem, split)


def gather_terms(problem: TableProblem, split: TableSplit, machine: TableMachine) -> tuple[dict[str, int], int]:
    """Return the estimated cycles of a cut, and the temporary bytes of its largest tile.

    Every part of the dictionary is assumed to have its share of the indices: no program knows their values.
    """
    rate, workers, size = machine.rate_sixteenths, machine.workers, problem.element_bytes
    rows, elements, lookups = largest_share(problem, split)
    row_bytes = elements * size
    found, selected = ceil_div(lookups, split.dictionary), ceil_div(lookups, split.dictionary)
    cut, shared = split.dictionary > 1, split.lookups > 1
    others = rows - rows // split.lookups if shared else 0
    candidates = (split.dictionary - 1) * selected * row_bytes if cut else 0
    terms = {
        "operands": receive_cycles(lookups * INDEX_BYTES, rate),
        "table": receive_cycles(others * row_bytes, rate),
        "slice": vertex_cycles(found, lookups - found, elements, size, False, workers),
        "partials": receive_cycles(candidates, rate),
        "select": vertex_cycles(selected, 0, elements, size, False, workers) if cut else 0,
        "phases": (1 + cut) * (machine.phase_cycles + machine.launch_cycles),
    }
    temporary = lookups * INDEX_BYTES + shared * rows * row_bytes
    temporary += (lookups * row_bytes + candidates) if cut else 0
    return terms, temporary
