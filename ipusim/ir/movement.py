"""Movement: a tensor whose elements are those of others in other places (transpose, slice, concatenation, ...)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from ipusim.ir.regions import IntArray


@dataclass(frozen=True, slots=True)
class Source:
    """A variable that elements are taken from.

    Attributes
    ----------
    variable, storage : str
    """

    variable: str
    storage: str


@dataclass(frozen=True, slots=True)
class Movement:
    """Operators that only move elements, one inside the other, done in one step.

    Attributes
    ----------
    kind : str
        Name of the operator.
    attrs : Mapping[str, object]
    operands : tuple of (Movement or Source or str, shape)
        What it takes, and the shape in which it sees it. A name is a tensor that has no place yet.
    """

    kind: str
    attrs: Mapping[str, object]
    operands: tuple[tuple[Movement | Source | str, tuple[int, ...]], ...]

    def sources(self) -> Iterator[Source]:
        """Yield every variable that elements are taken from."""
        for operand, _ in self.operands:
            if isinstance(operand, Movement):
                yield from operand.sources()
            elif isinstance(operand, Source):
                yield operand


@dataclass(frozen=True, slots=True)
class Repacking:
    """The elements of a packed variable in the order of another packed form of the same tensor.

    Attributes
    ----------
    source : Source
        Where the elements come from.
    order : int64 array [n]
        Place there of each element of the result, or -1 for a place of the result that holds none.
    """

    source: Source
    order: IntArray

    def sources(self) -> Iterator[Source]:
        """Yield the variable that elements are taken from."""
        yield self.source


MOVEMENTS = (Movement, Repacking)
"""Payloads that say which elements of which variables a target consists of."""
