"""Finds ops that read a tensor before it is written, and tells cycles from a wrong order."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from ipusim.frontends.draft import Draft

_LONGEST_SHOWN = 12


class ForwardRead(NamedTuple):
    """Op `reader` reads, as its operand `operand`, what only op `writer` writes, which does not stand before it."""

    reader: int
    operand: int
    writer: int


def writers(draft: Draft) -> dict[str, int]:
    """Return the position of the op that writes each result; the first where several do."""
    first: dict[str, int] = {}
    for position, entry in draft.entries():
        if entry.output not in draft.workload.tensors:
            first.setdefault(entry.output, position)
    return first


def report_order(draft: Draft, writer_of: Mapping[str, int]) -> None:
    """Report every cycle among the ops once, and every other read of a tensor before it is written."""
    forward = [
        ForwardRead(position, operand, writer_of[name])
        for position, entry in draft.entries()
        for operand, name in enumerate(entry.inputs)
        if name in writer_of and writer_of[name] >= position
    ]
    if not forward:
        return
    cycles = _cycles(draft, writer_of)
    reported: set[int] = set()
    for read in forward:
        cycle = cycles.get(read.reader, ())
        place = ("ops", read.reader, "inputs", read.operand)
        name = draft.workload.ops[read.writer].output
        if read.writer not in cycles or cycles[read.writer] != cycle:
            hint = f"move ops.{read.reader} after ops.{read.writer}"
            draft.report(place, f"{name!r} is read before ops.{read.writer} writes it", hint)
        elif cycle[0] not in reported:
            reported.add(cycle[0])
            draft.report(place, f"the ops need one another's results in a cycle: {_shown(draft, cycle)}")


def _shown(draft: Draft, cycle: tuple[int, ...]) -> str:
    """Return the results along a cycle, those in the middle of a long one left out."""
    results = [draft.workload.ops[position].output for position in (*cycle, cycle[0])]
    if len(results) > _LONGEST_SHOWN:
        results[_LONGEST_SHOWN // 2 : -_LONGEST_SHOWN // 2] = ["..."]
    return " -> ".join(results)


def _cycles(draft: Draft, writer_of: Mapping[str, int]) -> dict[int, tuple[int, ...]]:
    """Return, for every op that depends on itself, one cycle of its strongly connected component."""
    import networkx as nx  # only files with something wrong need it, and it is slow to load

    graph: nx.DiGraph[int] = nx.DiGraph()
    for position, entry in draft.entries():
        graph.add_edges_from((writer_of[name], position) for name in entry.inputs if name in writer_of)
    found: dict[int, tuple[int, ...]] = {}
    for component in nx.strongly_connected_components(graph):
        inner: nx.DiGraph[int] = nx.DiGraph(sorted(graph.subgraph(component).edges))
        if inner.number_of_edges():
            cycle = tuple(source for source, _ in nx.find_cycle(inner, min(component)))
            found.update(dict.fromkeys(component, cycle))
    return found
