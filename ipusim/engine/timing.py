"""Time a program: the cycles of every superstep, tile by tile, without ever looking at a value.

A superstep takes as long as its slowest tile computes, plus a barrier, plus as long as its slowest tile exchanges; the
phases do not overlap. Vertices with the same fields are costed once, and so are supersteps that are alike, such as
those of repeated layers.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from ipusim.chip.model import Chip
from ipusim.codelets.registry import Codelet, CycleFormula, codelet
from ipusim.engine.charges import Charges, charges_of
from ipusim.engine.exchange_timing import ExchangeLoad, exchange_load
from ipusim.engine.known_costs import KnownCosts
from ipusim.engine.streaming import beside_slices, beside_stream, time_stream
from ipusim.engine.trace import SuperstepTime, Trace
from ipusim.ir.program import Program, Superstep, VertexSet
from ipusim.ir.regions import IntArray
from ipusim.ir.sharing import alike_supersteps


def time_program(
    program: Program, chip: Chip, charges: Charges | None = None, known: KnownCosts | None = None
) -> Trace:
    """Return the cycles of every superstep of `program` on `chip`.

    Parameters
    ----------
    program : Program
    chip : Chip
        Its tile count has to be the program's; every other constant may differ from what the plan was made for.
    charges : Charges, optional
        What is charged beyond the work itself; by default what `chip` says.
    known : KnownCosts, optional
        Of the program: what it costs is kept there, for timing it again on another chip.
    """
    charges = charges or charges_of(chip)
    alike = known.alike if known else alike_supersteps(program)
    found: dict[int, SuperstepTime] = {}
    times: list[SuperstepTime] = []
    steps = [step for step, _ in program.supersteps()]
    for index, (step, count) in enumerate(program.supersteps()):
        if step.streams:
            beside = (times[other] for other in beside_stream(steps, index))
            runs = count - 1 if step.ahead else count
            times.append(time_stream(step, sum(each.cycles * each.count for each in beside), program, chip, runs))
            continue
        kind = alike[index]
        if kind not in found:
            found[kind] = _time_superstep(step, count, program, chip, charges, known)
        times.append(replace(found[kind], name=step.name, op=step.op, count=count))
    for index, others in beside_slices(program).items():
        hidden = sum(times[other].cycles for other in others if other != index)
        times[index] = time_stream(steps[index], hidden, program, chip, times[index].count)
    return Trace(program.n_tiles, tuple(times))


def _time_superstep(
    step: Superstep, count: int, program: Program, chip: Chip, charges: Charges, known: KnownCosts | None
) -> SuperstepTime:
    tile_compute: IntArray = np.zeros(program.n_tiles, dtype=np.int64)
    by_label: dict[str, IntArray] = {}
    for vertices in step.compute:
        per_tile = _cycles_of_tiles(vertices, program, chip, charges, known)
        by_label[vertices.label] = by_label.get(vertices.label, 0) + per_tile
        tile_compute += per_tile
    slowest = int(tile_compute.argmax())
    terms = {label: int(cycles[slowest]) for label, cycles in by_label.items()}
    compute = 0
    if step.compute:
        running = (vertices for vertices in step.compute if len(vertices.tile))
        launched = any(not codelet(vertices.codelet).launch_included for vertices in running)
        launch = charges.compute_set_cycles if launched else 0
        compute = int(tile_compute[slowest]) + launch
        terms["compute set"] = launch
        tile_compute[tile_compute > 0] += launch

    load = exchange_load(step.exchange, program, chip, charges, known)
    sync = 0
    if load.moves:
        sync = charges.sync_cycles
        terms["sync"] = sync
        _add_exchange_terms(terms, load)
    return SuperstepTime(
        step.name,
        step.op,
        count,
        compute,
        sync,
        int(load.cycles.max(initial=0)),
        {label: cycles for label, cycles in terms.items() if cycles},
        tile_compute,
        load.cycles,
        load.sent,
        load.received,
    )


def _add_exchange_terms(terms: dict[str, int], load: ExchangeLoad) -> None:
    slowest = int(load.cycles.argmax())
    payload = 0
    for label, cycles in load.by_label.items():
        terms[label] = terms.get(label, 0) + int(cycles[slowest])
        payload += int(cycles[slowest])
    terms["exchange phase"] = int(load.cycles[slowest]) - payload


def _cycles_of_tiles(
    vertices: VertexSet, program: Program, chip: Chip, charges: Charges, known: KnownCosts | None
) -> IntArray:
    """Return the cycles that a vertex set takes on each tile: int64 array [n_tiles]."""

    def find() -> IntArray:
        return _tile_cycles(vertices, vertex_cycles(vertices, chip, charges), program.n_tiles, chip)

    return known.vertices(vertices, chip, charges, find) if known else find()


def _tile_cycles(vertices: VertexSet, cycles: IntArray, n_tiles: int, chip: Chip) -> IntArray:
    """Return the cycles that a vertex set takes on each tile: int64 array [n_tiles].

    Vertices that all workers share follow one another. Of vertices that run on one worker, as many run at once as
    there are workers: they take their sum over the workers, or the longest of them if that is more.
    """
    total: IntArray = np.bincount(vertices.tile, weights=cycles, minlength=n_tiles).astype(np.int64)
    if not codelet(vertices.codelet).one_worker:
        return total
    longest: IntArray = np.zeros(n_tiles, dtype=np.int64)
    np.maximum.at(longest, vertices.tile, cycles)
    return np.maximum(longest, -(-total // chip.worker_contexts))


def vertex_cycles(vertices: VertexSet, chip: Chip, charges: Charges) -> IntArray:
    """Return the supervisor cycles of each vertex: int64 array [n]; equal vertices are costed once."""
    kind = codelet(vertices.codelet)
    table = np.stack([np.asarray(vertices.fields[name], dtype=np.int64) for name in kind.fields], axis=1)
    rows, inverse = unique_rows(table)
    formula = _formula(kind, charges.executed)
    costs = [
        formula(dict(zip(kind.fields, (int(value) for value in row), strict=True)), vertices.settings, chip)
        for row in rows
    ]
    cycles: IntArray = np.array(costs, dtype=np.int64)[inverse]
    return cycles


def _formula(kind: Codelet, executed: bool) -> CycleFormula:
    return kind.cycles if executed or kind.estimate is None else kind.estimate


def unique_rows(table: IntArray) -> tuple[IntArray, IntArray]:
    """Return the distinct rows of a table and, for each row, the index of its twin.

    Rows are compared through one number each, as long as the ranges of the columns allow it.
    """
    low = table.min(axis=0, initial=0)
    spans = [int(span) for span in table.max(axis=0, initial=0) - low + 1]
    size = 1
    for span in spans:
        size *= span
    if size >= 1 << 62:
        rows, inverse = np.unique(table, axis=0, return_inverse=True)
        return rows, inverse.reshape(-1).astype(np.int64)
    key = np.zeros(len(table), dtype=np.int64)
    for column, span in enumerate(spans):
        key = key * span + (table[:, column] - low[column])
    _, first, inverse = np.unique(key, return_index=True, return_inverse=True)
    return table[first], inverse.reshape(-1).astype(np.int64)
