"""Magnitude pruning of generated values: the blocks with the largest sum of absolute values stay, with their values."""

from __future__ import annotations

import numpy as np

from ipusim.sparse.blocks import Blocks, blocks_from_flat
from ipusim.sparse.patterns.spec import Pattern, PatternRequest, imbalance_weights, smallest


def _build(request: PatternRequest) -> Blocks:
    size, (n_rows, n_cols) = request.block_size, request.grid
    values = np.random.default_rng(request.seed).standard_normal(request.shape, dtype=np.float32)
    row_weights, col_weights = imbalance_weights(request)
    values *= np.repeat(row_weights, size)[:, None]
    values *= np.repeat(col_weights, size)[None, :]
    tiled = values.reshape(n_rows, size, n_cols, size).transpose(0, 2, 1, 3)
    norms = np.zeros((n_rows, n_cols), np.float32)
    for position in range(size * size):
        norms += np.abs(tiled[:, :, position // size, position % size])
    blocks = blocks_from_flat(request.shape, size, smallest(-norms.ravel(), request.n_blocks))
    return blocks.with_data(np.ascontiguousarray(tiled[blocks.rows, blocks.cols]))


PATTERN = Pattern(name="magnitude", options=("imbalance",), build=_build)
