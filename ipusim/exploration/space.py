"""A space of chips and workloads, checked."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from ipusim.chip.model import Chip
from ipusim.exploration.expressions import Expression, Value
from ipusim.exploration.metrics import METRICS, Objective
from ipusim.exploration.parameters import Choices, Parameter, rounded
from ipusim.exploration.targets import STEPS, as_number
from ipusim.files.wording import FieldError
from ipusim.frontends.model import Workload

CHIP_FIGURES = ("total_sram_bytes", "exchange_bytes_per_s", "sram_read_bytes_per_s")
"""Figures that follow from a chip's constants and may stand in constraints."""

Values = dict[str, Any]
"""Value of every parameter by its name, the expressions included."""


@dataclass(frozen=True, slots=True)
class Member:
    """One of the workloads of a space.

    Attributes
    ----------
    label : str
        What reports and parameters call it.
    weight : float
    workload : Workload
    """

    label: str
    weight: float
    workload: Workload


@dataclass(frozen=True)
class Space:
    """What is explored.

    Attributes
    ----------
    name, description : str
    chips : Mapping of str to Chip
        Base chips by name; the first is that of the file.
    members : tuple of Member
    parameters : tuple of Parameter
        Those with values of their own, in the order of the file.
    derived : tuple of Parameter
        Expressions, each after what it refers to.
    constraints : tuple of Expression
    objectives : tuple of Objective
    sampler : str
    seed : int
    budget : int or None
    """

    name: str
    description: str
    chips: Mapping[str, Chip]
    members: tuple[Member, ...]
    parameters: tuple[Parameter, ...]
    derived: tuple[Parameter, ...]
    constraints: tuple[Expression, ...]
    objectives: tuple[Objective, ...]
    sampler: str
    seed: int
    budget: int | None

    @property
    def chip(self) -> Chip:
        """The chip of the file."""
        return next(iter(self.chips.values()))

    @property
    def grid_size(self) -> int | None:
        """Number of points of the whole grid; None where a parameter is continuous."""
        size = 1
        for parameter in self.parameters:
            if not isinstance(parameter.domain, Choices):
                return None
            size *= len(parameter.domain.values)
        return size

    @cached_property
    def input_constraints(self) -> tuple[Expression, ...]:
        """The constraints that can be judged before anything is simulated."""
        return tuple(each for each in self.constraints if not _needs_figures(each))

    @cached_property
    def figure_constraints(self) -> tuple[Expression, ...]:
        """The constraints on figures of the simulation."""
        return tuple(each for each in self.constraints if _needs_figures(each))

    @cached_property
    def by_alias(self) -> dict[str, Parameter]:
        """Parameters by all the names that expressions may use for them."""
        return aliases((*self.parameters, *self.derived))

    def base_chip(self, values: Mapping[str, Any]) -> Chip:
        """Return the chip that a point changes."""
        return self.chips[values["chip"]] if "chip" in values else self.chip

    def complete(self, chosen: Mapping[str, Any]) -> Values:
        """Return the values of all parameters, those of the expressions computed.

        Raises
        ------
        FieldError
            When an expression has no value.
        """
        values: Values = dict(chosen)
        chip = self.base_chip(values)

        def name(key: str) -> Value:
            parameter = self.by_alias.get(key)
            return as_number(values[parameter.name]) if parameter else constant(chip, key)

        for parameter in self.parameters:
            if not parameter.is_exact:
                values[parameter.name] = rounded(values[parameter.name], self._step(parameter, name))
        for parameter in self.derived:
            assert parameter.expression is not None
            found = parameter.expression.evaluate(name)
            values[parameter.name] = rounded(found, self._step(parameter, name))
        return values

    def _step(self, parameter: Parameter, name: Any) -> int:
        other = STEPS.get(parameter.target.parts[-1]) if parameter.target.kind == "chip" else None
        return int(name(other)) if other else parameter.step

    def excluded_by(self, values: Mapping[str, Any], chip: Chip) -> Expression | None:
        """Return the first constraint on inputs that a point breaks, if any.

        Raises
        ------
        FieldError
            When a constraint has no value.
        """

        def name(key: str) -> Value:
            parameter = self.by_alias.get(key)
            return as_number(values[parameter.name]) if parameter else constant(chip, key)

        return next((each for each in self.input_constraints if not each.evaluate(name)), None)

    def broken_by(
        self, values: Mapping[str, Any], chip: Chip, figures: Mapping[str, float | None]
    ) -> Expression | None:
        """Return the first constraint on figures that a point breaks; one whose figures are not known is broken."""

        def name(key: str) -> Value:
            if key in figures:
                return figures[key]  # type: ignore[return-value]
            parameter = self.by_alias.get(key)
            return as_number(values[parameter.name]) if parameter else constant(chip, key)

        for each in self.figure_constraints:
            try:
                if not each.evaluate(name):
                    return each
            except FieldError:
                return each
        return None


def _needs_figures(expression: Expression) -> bool:
    return any(name in METRICS and name not in CHIP_FIGURES for name in expression.names)


def aliases(parameters: tuple[Parameter, ...]) -> dict[str, Parameter]:
    """Return parameters by full name, and by the last part of it where that is a name of one parameter only."""
    found = {parameter.name: parameter for parameter in parameters}
    short: dict[str, list[Parameter]] = {}
    for parameter in parameters:
        short.setdefault(parameter.name.rpartition(".")[2], []).append(parameter)
        if parameter.target.kind == "chip":
            found.setdefault(".".join(parameter.target.parts), parameter)
            found.setdefault(".".join(("chip", *parameter.target.parts)), parameter)
    for name, owners in short.items():
        if len(owners) == 1 and name.isidentifier():
            found.setdefault(name, owners[0])
    return found


def constant(chip: Chip, key: str) -> Value:
    """Return a constant or derived figure of a chip by the name that expressions have for it."""
    value = getattr(chip, key.removeprefix("chip."))
    if value is None:
        raise FieldError(f"{key} of {chip.name} is not known")
    return value  # type: ignore[no-any-return]
