"""Search for the choices with the least cycles: unit after unit, with the best few states kept.

Two states that have the same tensors in the same places differ only in what it took to get there: the dearer one is
dropped. Of the others the cheapest :data:`WIDTH` go on; so many for each set of ops that are done ahead of their turn.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import Any

from ipusim.ir.graph import Graph
from ipusim.layout.candidates import Unit
from ipusim.layout.trial import State, Trials
from ipusim.ops.registry import find_op
from ipusim.plan.layout import Choice

WIDTH = 4
"""States that are kept after each unit."""

MOST_TRIALS = 2000
"""After so many trials the ops that are left do what they would do alone: a bound on the time of the search."""


def search_choices(graph: Graph, units: tuple[Unit, ...], trials: Trials) -> list[State]:
    """Return the best states at the end of a graph, the one that promises the fewest cycles first."""
    last = _last_uses(graph, units)
    states = [State()]
    for index, unit in enumerate(units):
        family = find_op(unit.ops[-1].kind).family
        if family in ("view", "move"):
            states = [trials.noted(state, unit.ops[-1]) for state in states]
            continue
        found: list[State] = []
        for state in states:
            if unit.name in state.done:
                found.append(replace(state, done=state.done - {unit.name}))
                continue
            choices = unit.choices if trials.count < MOST_TRIALS else unit.choices[:1]
            found += [trials.after(state, unit, choice) for choice in choices]
        states = _best(found, frozenset(name for name, use in last.items() if use > index))
    return sorted((trials.settled(state, graph.outputs) for state in states), key=_cost)


def choices_of(state: State) -> dict[str, Choice]:
    """Return the choices that led to a state, in program order, by op."""
    found = []
    entry = state.choices
    while entry is not None:
        name, choice, entry = entry
        found.append((name, choice))
    return dict(reversed(found))


def _cost(state: State) -> tuple[int, int]:
    return state.guess, state.cycles


def _best(states: list[State], live: frozenset[str]) -> list[State]:
    kept: dict[tuple[Any, ...], State] = {}
    for state in sorted(states, key=_cost):
        names = (name for name in state.places if name in live)
        key = (tuple(sorted((name, state.places[name]) for name in names)), state.done, frozenset(state.pending))
        kept.setdefault(key, state)
    room: Counter[frozenset[str]] = Counter()
    best = []
    for state in kept.values():
        room[state.done] += 1
        if room[state.done] <= WIDTH:
            best.append(state)
    for state in best:
        state.places = {name: place for name, place in state.places.items() if name in live}
    return best


def _last_uses(graph: Graph, units: tuple[Unit, ...]) -> dict[str, int]:
    """Return the number of the last unit that may read each tensor, through views and movements too."""
    last = dict.fromkeys(graph.outputs, len(units))
    for index in range(len(units) - 1, -1, -1):
        for op in reversed(units[index].ops):
            passed_on = find_op(op.kind).family in ("view", "move")
            use = max(index, last.get(op.outputs[0], index)) if passed_on else index
            for name in op.inputs:
                last[name] = max(last.get(name, 0), use)
    roots: dict[str, str] = {}
    for unit in units:
        for op in unit.ops:
            if find_op(op.kind).family == "view":
                roots[op.outputs[0]] = roots.get(op.inputs[0], op.inputs[0])
    for name, root in roots.items():
        last[root] = max(last.get(root, 0), last.get(name, 0))
    return last
