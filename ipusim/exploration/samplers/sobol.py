"""A scrambled Sobol sequence: points that fill the space more evenly than random ones."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from ipusim.exploration.samplers.registry import DEFAULT_BUDGET, GENERATION, Choice, Listed, Sampler, Search, from_unit
from ipusim.exploration.space import Space


def start(space: Space) -> Search:
    """Return a search of as many points of the sequence as the budget allows."""
    return Listed(space.budget or DEFAULT_BUDGET, _chunks(space))


def _chunks(space: Space) -> Iterator[Sequence[Choice]]:
    from scipy.stats.qmc import Sobol

    sequence = Sobol(len(space.parameters), scramble=True, rng=space.seed)
    while True:
        yield [from_unit(space, row.tolist()) for row in sequence.random(GENERATION)]


SAMPLER = Sampler("sobol", "an even sequence over the whole space", start)
