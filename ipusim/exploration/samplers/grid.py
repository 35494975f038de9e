"""Every combination of the values of all parameters, the last parameter changing fastest."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import islice, product

from ipusim.exploration.parameters import Choices
from ipusim.exploration.samplers.registry import GENERATION, Choice, Listed, Sampler, Search
from ipusim.exploration.space import Space


def start(space: Space) -> Search:
    """Return the search of the whole grid, or of as much of it as the budget allows."""
    size = space.grid_size
    assert size is not None
    return Listed(size if space.budget is None else min(size, space.budget), _chunks(space))


def _chunks(space: Space) -> Iterator[Sequence[Choice]]:
    names = [parameter.name for parameter in space.parameters]
    domains = [parameter.domain.values for parameter in space.parameters if isinstance(parameter.domain, Choices)]
    rows = product(*domains)
    while chunk := [dict(zip(names, row, strict=True)) for row in islice(rows, GENERATION)]:
        yield chunk


SAMPLER = Sampler("grid", "every combination of all values", start, needs_choices=True)
