"""What an optimiser is: the states it keeps of each weight, and the ops of its update."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from ipusim.ops.spec import Expansion

Options = Mapping[str, float]


@dataclass(frozen=True, slots=True)
class Update:
    """The update of one weight.

    Attributes
    ----------
    graph : Expansion
        Where the ops are added.
    weight, gradient : str
    states : mapping of str to str
        Tensor of each state, by its role.
    rate : str
        The learning rate, a tensor with one element.
    options : mapping of str to float
    """

    graph: Expansion
    weight: str
    gradient: str
    states: Mapping[str, str]
    rate: str
    options: Options

    def add(self, kind: str, *inputs: str, **attrs: object) -> str:
        """Add an op and return the name of its result."""
        return self.graph.add(kind, *inputs, **attrs)

    def scaled(self, name: str, factor: float) -> str:
        """Return a tensor times a constant."""
        return name if factor == 1.0 else self.add("scale_shift", name, scale=factor)

    def descended(self, direction: str) -> str:
        """Return the weight less the learning rate times a direction."""
        return self.add("sub", self.weight, self.add("mul", direction, self.rate))


@dataclass(frozen=True, slots=True)
class Optimiser:
    """A rule that changes weights.

    Attributes
    ----------
    name : str
    options : mapping of str to float
        Names and defaults.
    states : function (options) -> tuple of str
        Roles of the states that it keeps of each weight; they begin as zeros.
    update : function (update) -> (str, mapping of str to str)
        Adds the ops; returns the new weight, and the new tensor of each state.
    rate : function (rate, step, options) -> float
        The learning rate that the host sends in a step, counted from 0.
    source : str
    """

    name: str
    options: Options
    states: Callable[[Options], tuple[str, ...]]
    update: Callable[[Update], tuple[str, dict[str, str]]]
    rate: Callable[[float, int, Options], float]
    source: str
