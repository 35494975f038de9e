"""Choices that concern several ops at once: which plan, which mapping, which ops together; and how they were found."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ipusim.plan.conv import ConvPlan
from ipusim.plan.dense import DensePlan

IN_PLACE = 0
"""Parts of a reduction that runs where its operand is."""


@dataclass(frozen=True, slots=True)
class Choice:
    """What one op does otherwise than it would alone.

    Attributes
    ----------
    plan : DensePlan, ConvPlan or None
        Of a product or convolution: a plan that is not the best of its own.
    together : tuple of str
        Of a product: further products of the same operand and plan that run beside it on other tiles.
    pick : bool
        Of a product: its tiles pick their blocks from wherever the operands are, without a rearrangement.
    mapping_of : int or None
        Of an elementwise op: the operand of full size, among those that it reads, whose mapping it takes.
    parts : int or None
        Of a reduction: into how many parts each result of the first axis is cut, or :data:`IN_PLACE`.
    """

    plan: DensePlan | ConvPlan | None = None
    together: tuple[str, ...] = ()
    pick: bool = False
    mapping_of: int | None = None
    parts: int | None = None

    def words(self) -> str:
        """Return the choice in a few words."""
        said = []
        if self.together:
            said.append(f"beside {', '.join(self.together)}")
        if self.plan is not None:
            plan = self.plan.to_dict()
            cuts = ", ".join(f"{name} {count}" for name, count in plan["partition"].items() if count > 1)
            said.append(f"plan {cuts or 'one tile'}{', swapped' if plan.get('swapped') else ''}")
        if self.pick:
            said.append("operands picked from where they are")
        if self.mapping_of is not None:
            said.append(f"mapping of operand {self.mapping_of + 1}")
        if self.parts is not None:
            said.append("where its operand is" if self.parts == IN_PLACE else f"{self.parts} parts of each result")
        return "; ".join(said) or "as alone"


DEFAULT = Choice()


@dataclass(frozen=True, slots=True)
class Layout:
    """The choices of a graph.

    Attributes
    ----------
    choices : Mapping of str to Choice
        By op; an op without an entry does what it would do alone.
    packed : bool
        Whether independent work of several ops shares supersteps.
    greedy_cycles, cycles : int or None
        Cycles of the program that every op on its own leads to, and of this one.
    """

    choices: Mapping[str, Choice] = field(default_factory=dict)
    packed: bool = False
    greedy_cycles: int | None = None
    cycles: int | None = None

    def to_dict(self) -> dict[str, Any]:
        """Return the choices as JSON-ready values."""
        return {
            "packed": self.packed,
            "greedy_cycles": self.greedy_cycles,
            "cycles": self.cycles,
            "choices": {name: choice.words() for name, choice in self.choices.items()},
        }


GREEDY = Layout()
