"""Make a graph fit: take levers until every tile has room, and leave out those that were not needed.

In each round levers are compiled, in the order of their estimated cycles, and the one is taken that costs the fewest
cycles for a byte that was too much on the fullest tile; what cannot be cheaper than that is not tried. Identical layers
get the same decision, so that a deep network takes no more trials than a single layer.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from ipusim.frontends.entries import LEVERS
from ipusim.pipeline.choice import Choice, Lever
from ipusim.pipeline.compiling import Compiled
from ipusim.pipeline.levers import candidates

MOST_TRIALS = 16
"""Programs that are compiled in search of one that fits."""

Compile = Callable[[Compiled, Choice], Compiled]
"""Compiles a workload that is compiled already with another choice."""


def fit(compiled: Compiled, compile_with: Compile, kinds: Sequence[str] = LEVERS) -> Compiled:
    """Return the workload compiled with levers so that it fits, or as it was if none make it fit.

    Parameters
    ----------
    compiled : Compiled
        What does not fit.
    compile_with : callable
        Compiles the same workload with other decisions.
    kinds : tuple of str
        Levers that may be taken.
    """
    best = compiled
    trials = 0
    while not best.fits:
        excess = _demand(best) - compiled.chip.tile_sram_bytes
        chosen: Compiled | None = None
        price = float("inf")
        for candidate in candidates(best, kinds):
            if candidate.lever.added_cycles / excess >= price:
                break
            if trials == MOST_TRIALS:
                return compiled
            trials += 1
            tried = compile_with(best, candidate.choice)
            saved = min(_demand(best) - _demand(tried), excess)
            if saved > 0 and candidate.lever.added_cycles / saved < price:
                price = candidate.lever.added_cycles / saved
                chosen = replace(tried, levers_taken=(*best.levers_taken, candidate.lever))
        if chosen is None:
            return compiled
        best = chosen
    return _needed(best, compile_with)


def _demand(compiled: Compiled) -> float:
    """Return the bytes of the fullest tile, more than any number where there is no program."""
    return float("inf") if compiled.memory is None else compiled.memory.max_tile_bytes


def _needed(fitting: Compiled, compile_with: Compile) -> Compiled:
    """Return the workload without the levers that it also fits without, the most expensive left out first."""
    best = fitting
    last = fitting.levers_taken[-1]
    for lever in sorted(fitting.levers_taken, key=lambda each: -each.added_cycles):
        if lever is last:
            continue
        tried = compile_with(best, _without(best.choice, lever))
        if tried.fits:
            best = replace(tried, levers_taken=tuple(each for each in best.levers_taken if each is not lever))
    return replace(best, levers_taken=_merged(best.levers_taken))


def _without(choice: Choice, lever: Lever) -> Choice:
    if lever.kind == "outline":
        return replace(choice, outlined=False)
    if lever.kind == "recompute":
        kept = {name: readers for name, readers in choice.recomputed.items() if name not in lever.targets}
        return replace(choice, recomputed=kept)
    if lever.kind == "temporaries":
        bounds = {op: bound for op, bound in choice.temporaries.items() if op not in lever.targets}
        return replace(choice, temporaries=bounds)
    return replace(choice, streamed=choice.streamed - set(lever.targets))


def _merged(levers: tuple[Lever, ...]) -> tuple[Lever, ...]:
    """Return the levers without those whose targets a later one of the same kind decides again."""
    found: list[Lever] = []
    for lever in levers:
        same = [each for each in found if (each.kind, each.targets) == (lever.kind, lever.targets)]
        earlier = sum(each.added_cycles for each in same)
        found = [each for each in found if each not in same]
        found.append(replace(lever, added_cycles=lever.added_cycles + earlier))
    return tuple(found)
