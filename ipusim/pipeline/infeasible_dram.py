"""What would help where tensors lie in the wrong memory: in DRAM instead of SRAM, or the other way round."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from ipusim.formats import number_format
from ipusim.ir.graph import Graph
from ipusim.ir.tensor import Tensor
from ipusim.pipeline.compiling import Compiled, changed_chip, compile_graph


def in_dram(compiled: Compiled) -> list[str]:
    """Return the fewest of the largest dense inputs with which the workload fits when they are in DRAM, if any do."""
    chip, graph = compiled.chip, compiled.graph
    if not chip.dram_bytes or not chip.dram_bytes_per_s:
        return []
    names = sorted(_movable(compiled), key=lambda name: -_n_bytes(graph.tensors[name]))
    if not names or not _fits(compiled, names, "dram"):
        return []
    too_few, enough = 0, len(names)
    while enough - too_few > 1:
        middle = (too_few + enough) // 2
        if _fits(compiled, names[:middle], "dram"):
            enough = middle
        else:
            too_few = middle
    return _settings(names[:enough], "dram")


def in_sram(compiled: Compiled) -> list[str]:
    """Return how to keep everything in SRAM, if it fits there."""
    names = compiled.graph.dram_tensors
    return _settings(names, "sram") if _fits(compiled, names, "sram") else []


def larger_dram(compiled: Compiled) -> list[str]:
    """Return the capacity of DRAM with which the workload fits, if its rate is known and nothing else is missing."""
    chip = compiled.chip
    larger = changed_chip(chip, dram_bytes=compiled.dram_bytes)
    if larger is None or chip.dram_bytes >= compiled.dram_bytes:
        return []
    found = compile_graph(compiled.workload, larger, compiled.graph, may_relax=False, layout="greedy")
    return [f"dram_bytes={compiled.dram_bytes}"] if found.fits else []


def _movable(compiled: Compiled) -> list[str]:
    """Return the dense inputs of the workload that lie in SRAM."""
    tensors, declared = compiled.graph.tensors, compiled.workload.tensors
    return [name for name in declared if name in tensors and not tensors[name].sparsity and _in_sram(tensors[name])]


def _in_sram(tensor: Tensor) -> bool:
    return tensor.memory == "sram"


def _fits(compiled: Compiled, names: Sequence[str], memory: str) -> bool:
    graph = _with_memory(compiled.graph, names, memory)
    return compile_graph(compiled.workload, compiled.chip, graph, may_relax=False, layout="greedy").fits


def _with_memory(graph: Graph, names: Sequence[str], memory: str) -> Graph:
    moved = {name: replace(graph.tensors[name], memory=memory) for name in names}
    return replace(graph, tensors={**graph.tensors, **moved})


def _n_bytes(tensor: Tensor) -> int:
    return tensor.n_elements * number_format(tensor.dtype).bytes


def _settings(names: Sequence[str], memory: str) -> list[str]:
    """Return one lever: all the settings together."""
    return [", ".join(f"tensors.{name}.memory={memory}" for name in names)]
