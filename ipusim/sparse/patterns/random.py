"""Uniformly random blocks: every set of the wanted size is equally likely, unless rows or columns are unbalanced."""

from __future__ import annotations

import numpy as np

from ipusim.sparse.blocks import Blocks, blocks_from_flat
from ipusim.sparse.patterns.spec import Pattern, PatternRequest, ascending, imbalance_weights, smallest


def _build(request: PatternRequest) -> Blocks:
    generator = np.random.default_rng(request.seed)
    total = request.grid[0] * request.grid[1]
    row_weights, col_weights = imbalance_weights(request)
    if row_weights[-1] == col_weights[-1] == 1:
        flat = ascending(generator.choice(total, request.n_blocks, replace=False, shuffle=False), total)
        return blocks_from_flat(request.shape, request.block_size, flat)
    keys = generator.standard_exponential(total, dtype=np.float32).reshape(request.grid)
    keys /= row_weights[:, None]
    keys /= col_weights[None, :]
    return blocks_from_flat(request.shape, request.block_size, smallest(keys.ravel(), request.n_blocks))


PATTERN = Pattern(name="random", options=("imbalance",), build=_build)
