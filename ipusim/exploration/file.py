"""Pydantic model of a space file: what a person may write in it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Self, TypeAlias

from pydantic import BeforeValidator, Discriminator, Field, Tag, model_validator

from ipusim.exploration.expressions import no_names, parse_expression
from ipusim.files.units import Count, Flag, Number
from ipusim.files.wording import FieldError, describe
from ipusim.frontends.entries import Entry

MAX_VALUES = 100_000
"""Most values of one parameter."""

MAX_BUDGET = 10_000_000
"""Most points of a search."""

Source: TypeAlias = Annotated[str, Field(min_length=1)] | dict[str, Any]
"""A packaged name, a path, or the content itself."""


def parse_quantity(value: Any) -> float | int:
    """Return a number, given as such or as a text such as ``16 KiB`` or ``1/16``.

    Raises
    ------
    FieldError
        When it is neither.
    """
    if isinstance(value, bool) or not isinstance(value, (int, float, str)):
        raise FieldError(f"expected a number, found {describe(value)}")
    if not isinstance(value, str):
        return value
    parsed = parse_expression(value)
    if parsed.names:
        raise FieldError(f"the ends of a range are numbers, found {describe(value)}")
    found = parsed.evaluate(no_names)
    if isinstance(found, (bool, str)):
        raise FieldError(f"expected a number, found {describe(value)}")
    return found


Quantity: TypeAlias = Annotated[float | int, BeforeValidator(parse_quantity, json_schema_input_type=float | int | str)]
"""A number with or without a unit."""


class RangeEntry(Entry):
    """A range of values: in steps, as a number of points, or continuous."""

    start: Quantity = Field(alias="from", description="Lower end")
    to: Quantity = Field(description="Upper end; included where a step leads to it")
    step: Quantity | None = Field(default=None, description="Distance of the values")
    points: Annotated[Count, Field(ge=2, le=MAX_VALUES)] | None = Field(
        default=None, description="Number of values, both ends included"
    )
    log: Flag = Field(default=False, description="Equal ratios instead of equal distances")

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.to <= self.start:
            raise FieldError(f"must be above 'from' ({self.start:g}), found {self.to:g}", path=("to",))
        if self.step is not None and (self.points is not None or self.log):
            raise FieldError("a range has either a step, or a number of points or ratios", path=("step",))
        if self.step is not None and self.step <= 0:
            raise FieldError(f"must be above 0, found {self.step:g}", path=("step",))
        if self.step is not None and (self.to - self.start) / self.step > MAX_VALUES:
            raise FieldError(f"gives more than {MAX_VALUES:,} values", path=("step",))
        if self.log and self.start <= 0:
            raise FieldError(f"a logarithmic range begins above 0, found {self.start:g}", path=("from",))
        return self


Scalar: TypeAlias = Any
ParameterEntry: TypeAlias = (
    Annotated[list[Scalar], Field(min_length=1, max_length=MAX_VALUES)]
    | RangeEntry
    | Annotated[str, Field(min_length=1)]
)
"""Values, a range, or an expression over other parameters."""


class WorkloadEntry(Entry):
    """One of the workloads of a space."""

    workload: Source = Field(description="Packaged name, path, or the content of a workload")
    name: str | None = Field(
        default=None, description="What reports and parameters call it", pattern=r"^[A-Za-z_][A-Za-z0-9_-]{0,63}$"
    )
    weight: Annotated[Number, Field(gt=0)] = Field(default=1.0, description="How often it runs, relative to the others")
    set: dict[str, Any] = Field(default_factory=dict, description="Changes of its fields: dotted path to value")


def _listed(value: Any) -> Any:
    return value if isinstance(value, list) else [value]


def _kind_of_workload(value: Any) -> str | None:
    if isinstance(value, Mapping):
        return "entry" if "workload" in value else "inline"
    return "entry" if isinstance(value, WorkloadEntry) else "name"


WorkloadItem: TypeAlias = Annotated[
    Annotated[str, Field(min_length=1), Tag("name")]
    | Annotated[dict[str, Any], Tag("inline")]
    | Annotated[WorkloadEntry, Tag("entry")],
    Discriminator(_kind_of_workload),
]
"""A packaged name, a path, the content of a workload, or one of these with a name and a weight."""

Workloads: TypeAlias = Annotated[list[WorkloadItem], BeforeValidator(_listed), Field(min_length=1)]


class SpaceFile(Entry):
    """Chips and workloads to explore, as a person writes them."""

    name: str = Field(description="What reports call the space", min_length=1, max_length=100)
    description: str = Field(default="", description="One line about the question it answers")
    chip: Source = Field(default="bow", description="The chip that the parameters change")
    workloads: Annotated[list[WorkloadItem], BeforeValidator(_listed), Field(min_length=1)] = Field(
        description="One workload, or a list of them"
    )
    parameters: dict[str, ParameterEntry] = Field(
        description="Dotted path, such as n_tiles or workload.tensors.w.shape.0, to its values", min_length=1
    )
    constraints: tuple[str, ...] = Field(default=(), description="Conditions, such as total_sram_bytes <= 1 GiB")
    objectives: tuple[str, ...] = Field(
        default=("seconds",), description="What to optimise, such as seconds or tflops:desc", min_length=1
    )
    sampler: str = Field(default="grid", description="How points are chosen")
    seed: Annotated[Count, Field(ge=0, le=2**31 - 1)] = Field(default=0, description="Seed of the sampler")
    budget: Annotated[Count, Field(ge=1, le=MAX_BUDGET)] | None = Field(
        default=None, description="Points to evaluate; by default all of a grid, 256 of another sampler"
    )
