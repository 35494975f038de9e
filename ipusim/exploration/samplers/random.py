"""Points drawn at random, each parameter on its own."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from ipusim.exploration.samplers.registry import DEFAULT_BUDGET, GENERATION, Choice, Listed, Sampler, Search, from_unit
from ipusim.exploration.space import Space


def start(space: Space) -> Search:
    """Return a search that draws as many points as the budget allows."""
    return Listed(space.budget or DEFAULT_BUDGET, _chunks(space))


def _chunks(space: Space) -> Iterator[Sequence[Choice]]:
    generator = np.random.Generator(np.random.PCG64(space.seed))
    while True:
        rows = generator.random((GENERATION, len(space.parameters)))
        yield [from_unit(space, row.tolist()) for row in rows]


SAMPLER = Sampler("random", "points drawn at random", start)
