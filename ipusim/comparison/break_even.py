"""The density at which sparse and dense take the same time, between the two cells on either side of it."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any

from ipusim.comparison.cell import Cell
from ipusim.comparison.points import Condition
from ipusim.report.compare_words import density_text, speedup_text

BELOW = "below"
ALWAYS = "always"
NEVER = "never"
UNEVEN = "uneven"
UNKNOWN = "unknown"
OUTCOMES = (BELOW, ALWAYS, NEVER, UNEVEN, UNKNOWN)
"""Sparse wins at densities below one; at all; at none; here and there; nothing can be compared."""


@dataclass(frozen=True, slots=True)
class BreakEven:
    """Where a mode with a block size begins to win.

    Attributes
    ----------
    condition : Condition
    mode : str
    block_size : int
    outcome : str
        One of :data:`OUTCOMES`.
    density : float or None
        The break-even density; None unless the outcome is ``below`` or ``uneven``. Of several, the largest below which
        sparse wins.
    winner : Cell or None
        The cell next to it at which sparse wins: of ``always`` the densest.
    loser : Cell or None
        The cell next to it at which dense wins: of ``never`` the sparsest.
    n_compared : int
        Number of densities with a speed-up.
    missing : tuple of float
        Densities that could not be compared.
    reason : str
        Why nothing can be compared, if so.
    """

    condition: Condition
    mode: str
    block_size: int
    outcome: str
    density: float | None = None
    winner: Cell | None = None
    loser: Cell | None = None
    n_compared: int = 0
    missing: tuple[float, ...] = ()
    reason: str = ""

    @property
    def sentence(self) -> str:
        """What it means, in words."""
        subject = f"at block size {self.block_size}, {self.mode}"
        if self.outcome == UNKNOWN:
            return f"{subject} cannot be compared: {self.reason}"
        cells = "; ".join(_shown(cell) for cell in (self.winner, self.loser) if cell)
        text = f"{subject} {self._verdict} ({cells})"
        if self.missing:
            text += f"; no figures at {', '.join(density_text(density) for density in self.missing)}"
        return text

    @property
    def _verdict(self) -> str:
        if self.outcome == ALWAYS:
            return "wins at every density compared" if self.n_compared > 1 else "wins"
        if self.outcome == NEVER:
            return "wins at no density compared" if self.n_compared > 1 else "does not win"
        if self.outcome == BELOW and self.density is not None:
            return f"wins below density {density_text(self.density)}"
        if self.density is not None:
            return f"wins at some densities only, the last time below {density_text(self.density)}"
        return "wins at high densities only"

    def to_dict(self) -> dict[str, Any]:
        """Return the break-even as JSON-ready values."""
        return {
            **self.condition.to_dict(),
            "mode": self.mode,
            "block_size": self.block_size,
            "outcome": self.outcome,
            "density": self.density,
            "winner": _side(self.winner),
            "loser": _side(self.loser),
            "missing": list(self.missing),
            "reason": self.reason,
            "sentence": self.sentence,
        }


def find_break_even(cells: Sequence[Cell]) -> BreakEven:
    """Return the break-even density of cells that differ in nothing but the density.

    The speed-up is interpolated between neighbouring cells as a power of the density (a line between logarithms).
    """
    ordered = sorted(cells, key=lambda cell: cell.point.density)
    known = [(cell, cell.speedup) for cell in ordered if cell.speedup is not None]
    point = cells[0].point
    found = BreakEven(
        point.condition,
        point.mode,
        point.block_size,
        UNKNOWN,
        n_compared=len(known),
        missing=tuple(cell.point.density for cell in ordered if cell.speedup is None),
    )
    if not known:
        return replace(found, reason=_why_unknown(ordered))
    if all(speedup > 1 for _, speedup in known):
        return replace(found, outcome=ALWAYS, winner=known[-1][0])
    if all(speedup <= 1 for _, speedup in known):
        return replace(found, outcome=NEVER, loser=known[0][0])
    changes = [pair for pair in pairwise(known) if (pair[0][1] > 1) != (pair[1][1] > 1)]
    falling = [pair for pair in changes if pair[0][1] > 1]
    if not falling:
        (loser, _), (winner, _) = changes[0]
        return replace(found, outcome=UNEVEN, winner=winner, loser=loser)
    (winner, above), (loser, under) = falling[-1]
    density = _crossing(winner.point.density, above, loser.point.density, under)
    outcome = BELOW if len(changes) == 1 else UNEVEN
    return replace(found, outcome=outcome, density=density, winner=winner, loser=loser)


def break_evens(cells: Iterable[Cell]) -> tuple[BreakEven, ...]:
    """Return the break-even density of every condition, mode and block size among `cells`, in their order."""
    groups: dict[tuple[Condition, str, int], list[Cell]] = {}
    for cell in cells:
        groups.setdefault((cell.point.condition, cell.point.mode, cell.point.block_size), []).append(cell)
    return tuple(find_break_even(group) for group in groups.values())


def _crossing(density: float, speedup: float, other_density: float, other_speedup: float) -> float:
    share = math.log(speedup) / (math.log(speedup) - math.log(other_speedup))
    return math.exp(math.log(density) + share * (math.log(other_density) - math.log(density)))


def _why_unknown(cells: Sequence[Cell]) -> str:
    if not cells[0].baseline.cycles:
        return f"no dense baseline, for {cells[0].baseline.reason or 'it was not run'}"
    return next((cell.outcome.reason for cell in cells if cell.outcome.reason), "not run")


def _shown(cell: Cell) -> str:
    bound = f", mostly {cell.bound_by}" if cell.bound_by else ""
    return f"{speedup_text(cell.speedup)} at {density_text(cell.point.density)}{bound}"


def _side(cell: Cell | None) -> dict[str, Any] | None:
    if cell is None:
        return None
    return {
        "density": cell.point.density,
        "speedup": cell.speedup,
        "cycles": cell.outcome.cycles,
        "bound_by": cell.bound_by,
    }
