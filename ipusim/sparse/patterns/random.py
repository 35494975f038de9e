"""Uniformly random blocks: every set of the wanted size is equally likely, unless rows or columns are unbalanced."""

from __future__ import annotations

from ipusim.sparse.blocks import Blocks, blocks_from_flat
from ipusim.sparse.patterns.random_words import LARGEST_CHOICE, choose, exponential, random_words
from ipusim.sparse.patterns.spec import Pattern, PatternError, PatternRequest, imbalance_weights, smallest

_LARGEST_WEIGHTED = 1 << 26


def _build(request: PatternRequest) -> Blocks:
    total = request.grid[0] * request.grid[1]
    if total > LARGEST_CHOICE:
        raise PatternError(f"the random pattern has at most {LARGEST_CHOICE} blocks, not {total}")
    row_weights, col_weights = imbalance_weights(request)
    if row_weights[-1] == col_weights[-1] == 1:
        flat = choose(total, request.n_blocks, request.seed, request.accelerate)
        return blocks_from_flat(request.shape, request.block_size, flat)
    if total > _LARGEST_WEIGHTED:
        raise PatternError(f"the random pattern with imbalance has at most {_LARGEST_WEIGHTED} blocks, not {total}")
    keys = exponential(random_words(request.seed, total)).reshape(request.grid)
    keys /= row_weights[:, None]
    keys /= col_weights[None, :]
    return blocks_from_flat(request.shape, request.block_size, smallest(keys.ravel(), request.n_blocks))


PATTERN = Pattern(name="random", options=("imbalance",), build=_build)
