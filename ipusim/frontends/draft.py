"""What is known of a graph while it is being built, and what was found to be wrong with it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from ipusim.errors import Problem
from ipusim.files.wording import Path, did_you_mean
from ipusim.frontends.entries import OpEntry
from ipusim.frontends.model import Workload
from ipusim.ir.tensor import Op, Tensor

UNREADABLE = "-"
"""Stands for the operator of a broken op that names none."""

_MOST_SUGGESTIONS = 50


@dataclass(slots=True)
class Draft:
    """A graph under construction.

    Attributes
    ----------
    workload : Workload
        What is being built.
    broken_tensors : frozenset of str
        Names whose entries are already known to be wrong: tensors of unknown shape.
    broken_ops : frozenset of int
        Positions of ops that are already known to be wrong and have placeholders in `workload`.
    tensors : dict
        Every tensor seen so far; None stands for a tensor whose shape cannot be known because of a problem before it.
    ops : dict
        Sound ops by position in the file.
    problems : list of Problem
        In the order in which they were found.
    """

    workload: Workload
    broken_tensors: frozenset[str] = frozenset()
    broken_ops: frozenset[int] = frozenset()
    tensors: dict[str, Tensor | None] = field(default_factory=dict)
    ops: dict[int, Op] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)

    def entries(self) -> Iterator[tuple[int, OpEntry]]:
        """Yield the ops of the file that are not broken, with their positions."""
        for position, entry in enumerate(self.workload.ops):
            if position not in self.broken_ops:
                yield position, entry

    def report(self, path: Path, message: str, hint: str = "", *, at_key: bool = False) -> None:
        """Note a problem with the value (or the key) at `path` of the file."""
        self.problems.append(self.workload.document.problem(path, message, hint, at_key=at_key))

    def suggest(self, word: str, candidates: Iterable[str]) -> str:
        """Return ``did you mean 'x'?``, or nothing once so many problems are known that searching would take long."""
        return did_you_mean(word, candidates) if len(self.problems) < _MOST_SUGGESTIONS else ""


def in_file_order(problems: Iterable[Problem]) -> tuple[Problem, ...]:
    """Return problems without repetitions as they stand in the file, those without a place at the end."""
    unique = dict.fromkeys(problems)
    return tuple(sorted(unique, key=lambda problem: (problem.line == 0, problem.line, problem.column)))
