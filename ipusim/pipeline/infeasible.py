"""Why a workload does not fit, and which levers make it fit: each is tried, none is guessed."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from typing import Any

from ipusim.ir.tensor import Sparsity
from ipusim.pipeline.compiling import Compiled, changed_chip, compile_graph
from ipusim.pipeline.infeasible_dram import in_dram, in_sram, larger_dram
from ipusim.pipeline.infeasible_workload import compiler_levers, smaller_batch, smaller_format
from ipusim.plan.conv_problem import ConvProblem
from ipusim.plan.gradient_problem import GradientProblem
from ipusim.plan.graph import Unplannable
from ipusim.plan.problem import MatMulProblem
from ipusim.plan.sparse_problem import SPARSE_FORMATS, SparseProblem

UNSUPPORTED = {
    "no_amp_mode": "the AMP of {chip} cannot multiply {inputs} with {partials} partials",
    "no_sparse_vertex": "the sparse vertices of {chip} cannot multiply {inputs} with {partials} partials",
    "offsets": "the 16-bit offsets of static sparse vertices cannot address the dense operand of any split",
}
"""What an op without a plan runs into, apart from memory."""

FACTORS = (2, 4, 8, 16, 32, 64)
"""How many times the memory, or the tiles, are tried."""


def explain_infeasible(compiled: Compiled, with_levers: bool = True) -> dict[str, Any] | None:
    """Return what is missing for a workload to run, or None if it fits.

    Without `with_levers` nothing is tried that might make it fit, which takes seconds.

    Returns
    -------
    dict or None
        ``constraint, demand_bytes, capacity_bytes, gap_bytes, tile, terms, levers``.
    """
    if compiled.fits:
        return None
    formats = [plan for plan in compiled.unplanned if plan.reason in UNSUPPORTED]
    capacity = compiled.chip.tile_sram_bytes
    if formats:
        problem = formats[0].problem
        return {
            "constraint": UNSUPPORTED[formats[0].reason].format(
                chip=compiled.chip.name, inputs=problem.inputs_format, partials=problem.partials_format
            ),
            "demand_bytes": 0,
            "capacity_bytes": capacity,
            "gap_bytes": 0,
            "tile": 0,
            "terms": {},
            "levers": _other_ways(compiled, formats[0].reason, with_levers),
        }
    if not compiled.fits_dram:
        return _no_dram(compiled, with_levers)
    buckets = [plan for plan in compiled.unplanned if plan.shortage is not None]
    if buckets:
        return _full_buckets(compiled, buckets[0], with_levers)
    memory = compiled.memory
    if memory is None:
        total = sum(plan.resident_bytes for plan in compiled.unplanned)
        demand, tile = -(-total // compiled.chip.n_tiles), 0
        terms = {
            f"operands and result of {plan.op}": -(-plan.resident_bytes // compiled.chip.n_tiles)
            for plan in compiled.unplanned
        }
    else:
        demand, tile = memory.max_tile_bytes, memory.worst_tile
        terms = {
            f"{item.category} of {item.name}" if item.name else item.category: n_bytes
            for item, n_bytes in memory.contents(tile)
        }
    return {
        "constraint": "tile_sram_bytes",
        "demand_bytes": demand,
        "capacity_bytes": capacity,
        "gap_bytes": max(0, demand - capacity),
        "tile": tile,
        "terms": terms,
        "levers": levers(compiled) if with_levers else [],
    }


def _no_dram(compiled: Compiled, with_levers: bool) -> dict[str, Any]:
    """Return why the tensors that are to lie in DRAM cannot."""
    demand, capacity = compiled.dram_bytes, int(compiled.chip.dram_bytes)
    full = demand > capacity
    found = [*in_sram(compiled), *larger_dram(compiled)] if with_levers else []
    return {
        "constraint": "dram_bytes" if full else f"the DRAM of {compiled.chip.name} has no dram_bytes_per_s",
        "demand_bytes": demand if full else 0,
        "capacity_bytes": capacity,
        "gap_bytes": max(0, demand - capacity),
        "tile": 0,
        "terms": {"tensors in DRAM": demand} if full else {},
        "levers": found or (["none of: tensors in SRAM, a larger DRAM"] if with_levers else []),
    }


def _full_buckets(compiled: Compiled, unplanned: Unplannable, with_levers: bool) -> dict[str, Any]:
    """Return why the non-zeros of a dynamic tensor do not fit its buckets."""
    shortage, problem = unplanned.shortage, unplanned.problem
    assert shortage is not None
    assert not isinstance(problem, (MatMulProblem, ConvProblem))
    gap = shortage.demand_bytes - shortage.capacity_bytes
    found: list[str] = []
    if with_levers:
        found = [*_roomier_buckets(compiled, problem, shortage.kind), *_more_tiles(compiled)]
        found = found or ["none of: an oversize of 1024, 64 times the tiles"]
    return {
        "constraint": shortage.constraint,
        "demand_bytes": shortage.demand_bytes,
        "capacity_bytes": shortage.capacity_bytes,
        "gap_bytes": gap,
        "tile": 0,
        "terms": {f"buckets of {problem.sparse}": shortage.capacity_bytes, "without room": gap},
        "levers": found,
    }


def _roomier_buckets(compiled: Compiled, problem: SparseProblem | GradientProblem, kind: str) -> list[str]:
    """Return the least of a few settings of the sparse tensor with which its non-zeros fit."""
    elements = problem.blocks.shape[0] * problem.blocks.shape[1]
    changes: list[tuple[str, Sparsity]] = []
    if kind == "declared":
        density = Fraction(problem.blocks.n_values, elements)
        changes.append((f"density={density}", replace(problem.sparsity, density=float(density))))
    elif kind == "overflow":
        least = problem.sparsity.oversize if isinstance(problem.sparsity.oversize, float) else 0.0
        sizes = [size for size in (0.5, *(2.0**power for power in range(11))) if size > least]
        changes.extend((f"oversize={size:g}", replace(problem.sparsity, oversize=size)) for size in sizes)
    graph = compiled.graph
    tensor = graph.tensors[problem.sparse]
    for setting, sparsity in changes:
        changed = replace(graph, tensors={**graph.tensors, tensor.name: replace(tensor, sparsity=sparsity)})
        if compile_graph(compiled.workload, compiled.chip, changed, layout="greedy").fits:
            return [f"tensors.{tensor.name}.sparsity.{setting}"]
    return []


def _other_ways(compiled: Compiled, reason: str, with_levers: bool) -> list[str]:
    if reason == "no_sparse_vertex":
        return [f"formats that they can: {', '.join(SPARSE_FORMATS)}"]
    if reason == "offsets":
        return (_more_tiles(compiled) or ["none of: up to 64 times the tiles"]) if with_levers else []
    pairs = sorted({f"{mode.inputs} with {mode.partials} partials" for mode in compiled.chip.amp_modes})
    return [f"formats that it can: {', '.join(pairs)}"]


def levers(compiled: Compiled) -> list[str]:
    """Return changes that make the workload fit, cheapest first; each has been compiled and found to fit."""
    found = [*_smaller_temporaries(compiled), *compiler_levers(compiled), *in_dram(compiled)]
    found += [*smaller_format(compiled), *smaller_batch(compiled), *_more_sram(compiled), *_more_tiles(compiled)]
    return found or [
        "none of: a smaller available_memory_proportion, a 64th of the batch, 64 times the SRAM of a tile, "
        "64 times the tiles"
    ]


def _smaller_temporaries(compiled: Compiled) -> list[str]:
    if not compiled.all_plans or _too_much_without_temporaries(compiled):
        return []
    now = compiled.workload.compile.available_memory_proportion
    for proportion in (0.5, 0.4, 0.3, 0.2, 0.1, 0.05):
        if proportion >= now:
            continue
        if compile_graph(
            compiled.workload, compiled.chip, compiled.graph, proportion, may_relax=False, layout="greedy"
        ).fits:
            return [f"compile.available_memory_proportion={proportion}"]
    return []


def _too_much_without_temporaries(compiled: Compiled) -> bool:
    """Return whether a tile is too full even without anything temporary.

    Smaller temporaries mean more steps, so that what else is there does not shrink with them.
    """
    memory = compiled.memory
    if memory is None:
        return False
    kinds = memory.by_category(memory.worst_tile)
    return sum(kinds.values()) - kinds["operands"] - kinds["partials"] > memory.tile_sram_bytes


def _more_sram(compiled: Compiled) -> list[str]:
    chip = compiled.chip
    for factor in FACTORS:
        larger = changed_chip(chip, tile_sram_bytes=factor * chip.tile_sram_bytes)
        if larger and compile_graph(compiled.workload, larger, compiled.graph, may_relax=False, layout="greedy").fits:
            return [f"tile_sram_bytes={larger.tile_sram_bytes} ({factor} times the SRAM of a tile)"]
    return []


def _more_tiles(compiled: Compiled) -> list[str]:
    chip = compiled.chip
    before = compiled.memory.max_tile_bytes if compiled.memory else None
    for factor in FACTORS:
        more = changed_chip(chip, n_tiles=factor * chip.n_tiles)
        if more is None:
            continue
        found = compile_graph(compiled.workload, more, compiled.graph, may_relax=False, layout="greedy")
        if found.fits:
            return [f"n_tiles={more.n_tiles} ({factor} times the tiles)"]
        now = found.memory.max_tile_bytes if found.memory else None
        if before is not None and now is not None and _never_fits(before, now, chip.tile_sram_bytes):
            return []
        before = now
    return []


def _never_fits(before: int, now: int, capacity: int) -> bool:
    """Return whether no number of tiles helps, from the bytes on the fullest tile before and after one doubling.

    What is spread over the tiles halves with each doubling, so that all further ones together save no more than this.
    """
    return now - max(0, before - now) > capacity
