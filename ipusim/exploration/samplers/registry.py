"""The samplers by name.

Every module of this package that is not part of the machinery is a sampler and defines ``SAMPLER``. Its name is the
module's name; a module is imported on the first look-up of that name.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from ipusim.exploration.space import Space
from ipusim.files.wording import FieldError, did_you_mean, join_words
from ipusim.registry import Registry

Choice = Mapping[str, Any]
"""Value of every parameter that has values of its own."""

DEFAULT_BUDGET = 256
"""Points of a search that states no budget."""

GENERATION = 1024
"""Points that a sampler which learns nothing gives out at once."""


@dataclass(frozen=True, slots=True)
class Judged:
    """What became of a point, for a sampler that learns.

    Attributes
    ----------
    costs : tuple of float or None
        One for each objective, less is better; None for a point that is not allowed.
    violation : float
        How far it is from being allowed; 0 or less for one that is.
    """

    costs: tuple[float, ...] | None
    violation: float


class Search(Protocol):
    """A search in progress. Generations have a fixed size, so that what is chosen does not depend on who is quick."""

    def generations(self) -> Iterator[Sequence[Choice]]:
        """Yield the points of one generation after another."""

    def tell(self, judged: Sequence[Judged]) -> None:
        """Take note of what became of the last generation, in its order."""


@dataclass(frozen=True, slots=True)
class Sampler:
    """A way to choose points.

    Attributes
    ----------
    name : str
        Name of the module that defines it.
    summary : str
    start : callable
        ``start(space) -> Search``.
    learns : bool
        Whether what it chooses depends on what became of the points before.
    needs_choices : bool
        Whether every parameter has to have a finite number of values.
    """

    name: str
    summary: str
    start: Callable[[Space], Search]
    learns: bool = False
    needs_choices: bool = False


_SAMPLERS = Registry("ipusim.exploration.samplers", "SAMPLER", Sampler, {"registry", "study"})

sampler_names = _SAMPLERS.names
"""The names of all samplers, sorted."""


def find_sampler(name: str) -> Sampler:
    """Return the sampler called `name`.

    Raises
    ------
    FieldError
        When there is none.
    """
    try:
        return _SAMPLERS.find(name)
    except KeyError:
        hint = did_you_mean(name, sampler_names()) or f"there are {join_words(sampler_names(), 'and')}"
        raise FieldError(f"unknown sampler {name!r}", hint) from None


class Listed:
    """A search whose points do not depend on what becomes of them: the first `count` of `chunks`."""

    def __init__(self, count: int, chunks: Iterator[Sequence[Choice]]) -> None:
        self._count = count
        self._chunks = chunks

    def generations(self) -> Iterator[Sequence[Choice]]:
        """Yield up to ``count`` points."""
        left = self._count
        for chunk in self._chunks:
            yield chunk[:left]
            left -= len(chunk)
            if left <= 0:
                return

    def tell(self, judged: Sequence[Judged]) -> None:
        """Nothing is learnt."""


def from_unit(space: Space, row: Sequence[float]) -> Choice:
    """Return the point of `space` at a place in the unit cube, one coordinate for each parameter."""
    return {
        parameter.name: parameter.domain.at(part)
        for parameter, part in zip(space.parameters, row, strict=True)
        if parameter.domain is not None
    }
