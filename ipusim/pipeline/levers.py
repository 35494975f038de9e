"""Levers that the compiler may take where a graph does not fit: what each would do, and what it would cost."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from math import ceil

from ipusim.engine.charges import charges_of
from ipusim.engine.memory import MemoryMap
from ipusim.engine.timing import time_program, vertex_cycles
from ipusim.formats import number_format
from ipusim.ir.graph import Graph
from ipusim.ir.program import Program
from ipusim.ir.sharing import Key, vertices_key
from ipusim.ir.tensor import Op
from ipusim.lower.outlining import outline
from ipusim.pipeline.choice import Candidate, Lever, Peak
from ipusim.pipeline.compiling import Compiled
from ipusim.pipeline.recomputing import is_cheap
from ipusim.pipeline.temporaries import smaller_temporaries


def candidates(compiled: Compiled, kinds: Sequence[str]) -> list[Candidate]:
    """Return the levers that may help a workload that does not fit, the cheapest first."""
    found: list[Candidate] = []
    if compiled.program is not None and compiled.memory is not None:
        peak = _peak(compiled, compiled.program)
        if "temporaries" in kinds:
            found += smaller_temporaries(compiled, peak)
        if "outline" in kinds and not compiled.choice.outlined:
            found += _outlined(compiled, compiled.program)
        if "recompute" in kinds:
            found += _recomputed(compiled, compiled.program, peak)
        if "stream" in kinds:
            found += _streamed(compiled, peak.excess_bytes * compiled.chip.n_tiles)
    elif "stream" in kinds:
        total = sum(plan.resident_bytes for plan in compiled.unplanned)
        found += _streamed(compiled, max(1, total - compiled.chip.total_sram_bytes))
    return sorted(found, key=lambda each: (each.lever.added_cycles, each.lever.kind))


def _peak(compiled: Compiled, program: Program) -> Peak:
    memory = compiled.memory
    assert memory is not None
    tile = memory.worst_tile
    step = int(memory.peak_step[tile])
    op = next(each.op for index, (each, _) in enumerate(program.supersteps()) if index == step)
    return Peak(tile, step, op, memory.max_tile_bytes - memory.tile_sram_bytes)


def _outlined(compiled: Compiled, program: Program) -> Iterator[Candidate]:
    """Yield the sharing of exchange code between repeated layers."""
    outlined = outline(program)
    if outlined is None:
        return
    chip, charges = compiled.chip, charges_of(compiled.chip)
    steps = [step for step, _ in outlined.supersteps()]
    copies = [step for step in steps if any(vertices.label == "copy in" for vertices in step.compute)]
    longest: dict[Key, int] = {}
    for vertices in (vertices for step in copies for vertices in step.compute):
        key = vertices_key(vertices, outlined)
        if key not in longest:
            longest[key] = int(vertex_cycles(vertices, chip, charges).max(initial=0))
    cycles = sum(
        charges.compute_set_cycles + sum(longest[vertices_key(vertices, outlined)] for vertices in step.compute)
        for step in copies
    )
    ops = dict.fromkeys(step.op for step in steps if step.code)
    yield Candidate(Lever("outline", tuple(ops), cycles), replace(compiled.choice, outlined=True))


def _recomputed(compiled: Compiled, program: Program, peak: Peak) -> Iterator[Candidate]:
    """Yield results that wait through the peak for a later reader and could be made again, all alike together."""
    graph, memory = compiled.graph, compiled.memory
    assert memory is not None
    position = {op.name: index for index, op in enumerate(graph.ops)}
    here = position.get(peak.op)
    if here is None:
        return
    waiting = [
        (program.variables[item.name].storage, item)
        for item, _ in memory.contents(peak.tile)
        if item.category == "tensors" and item.name in program.variables
    ]
    trace, first, last = None, _first_steps(program), _last_steps(program, memory)
    for tensor, _ in waiting:
        maker = graph.producer(tensor)
        if maker is None or tensor in graph.outputs or tensor in compiled.choice.recomputed or not is_cheap(maker):
            continue
        readers = graph.consumers(tensor)
        earlier = [op for op in readers if position[op.name] < here]
        if len(earlier) == len(readers) or peak.op in {op.name for op in readers}:
            continue
        later = readers[len(earlier) :]
        when = first.get(later[0].name)
        if when is None or any(last.get(program.roots.get(name, name), -1) < when for name in maker.inputs):
            continue  # what it is made of is no longer on the tiles
        trace = trace or time_program(program, compiled.chip)
        cycles = trace.op_cycles(maker.name)
        group = {
            other: tuple(op.name for op in graph.consumers(other)[len(earlier) :])
            for other in _alike(graph, tensor, maker)
        }
        lever = Lever("recompute", tuple(group), cycles * len(group))
        recomputed = {**compiled.choice.recomputed, **group}
        yield Candidate(lever, replace(compiled.choice, recomputed=recomputed))


def _first_steps(program: Program) -> dict[str, int]:
    """Return the first superstep of each op, or of the one that it is fused into."""
    first: dict[str, int] = {}
    for index, (step, _) in enumerate(program.supersteps()):
        for op in (step.op, *step.fused):
            first.setdefault(op, index)
    return first


def _last_steps(program: Program, memory: MemoryMap) -> dict[str, int]:
    """Return the last superstep in which each storage is on the tiles."""
    last: dict[str, int] = {}
    for item in memory.allocations:
        if item.name in program.variables:
            storage = program.variables[item.name].storage
            last[storage] = max(item.last, last.get(storage, 0))
    return last


def _alike(graph: Graph, tensor: str, maker: Op) -> list[str]:
    """Return the tensors that are made and read like one of them."""

    def sign(name: str, op: Op) -> object:
        kinds = tuple(reader.kind for reader in graph.consumers(name))
        return op.kind, tuple(op.attrs.items()), graph.tensors[name].shape, graph.tensors[name].dtype, kinds

    wanted = sign(tensor, maker)
    makers = ((op.outputs[0], op) for op in graph.ops if op.kind == maker.kind)
    return [name for name, op in makers if name not in graph.outputs and sign(name, op) == wanted]


def _streamed(compiled: Compiled, excess_bytes: int) -> Iterator[Candidate]:
    """Yield the fewest of the largest inputs that free so many bytes on all tiles together, in DRAM."""
    chip, graph = compiled.chip, compiled.graph
    if not chip.dram_bytes or not chip.dram_bytes_per_s:
        return
    readers = {name: len(graph.consumers(name)) for name in graph.inputs}
    sizes = {
        name: graph.tensors[name].n_elements * number_format(graph.tensors[name].dtype).bytes
        for name in graph.inputs
        if graph.tensors[name].memory == "sram" and not graph.tensors[name].sparsity and readers[name]
        if name not in graph.updates  # new values would have to go back
    }
    chosen: list[str] = []
    freed = 0
    for name in sorted(sizes, key=lambda each: (readers[each], -sizes[each], each)):
        if freed >= excess_bytes + sizes[chosen[0]] if chosen else False:
            break
        chosen.append(name)
        freed += sizes[name]
    if not chosen or compiled.dram_bytes + freed > chip.dram_bytes:
        return
    rate = float(chip.clock_hz) / float(chip.dram_bytes_per_s)
    cycles = sum(readers[name] * (ceil(sizes[name] * rate) + int(chip.external_sync_cycles)) for name in chosen)
    lever = Lever("stream", tuple(chosen), cycles)
    yield Candidate(lever, replace(compiled.choice, streamed=compiled.choice.streamed | set(chosen)))
