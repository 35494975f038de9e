"""Magnitude pruning of the tensor's own values: the blocks with the largest sum of absolute values stay."""

from __future__ import annotations

import numpy as np

from ipusim.sparse.blocks import Blocks, blocks_from_flat
from ipusim.sparse.patterns.spec import Pattern, PatternError, PatternRequest, imbalance_weights, smallest


def _build(request: PatternRequest) -> Blocks:
    if request.values is None:
        raise PatternError("the magnitude pattern needs the values of the tensor")
    size, (n_rows, n_cols) = request.block_size, request.grid
    values = request.values().reshape(n_rows, size, n_cols, size)
    norms = np.zeros((n_rows, n_cols), np.float32)
    for position in range(size * size):
        norms += np.abs(values[:, position // size, :, position % size])
    row_weights, col_weights = imbalance_weights(request)
    norms *= row_weights[:, None]
    norms *= col_weights[None, :]
    return blocks_from_flat(request.shape, size, smallest(-norms.ravel(), request.n_blocks))


PATTERN = Pattern(name="magnitude", options=("imbalance",), build=_build)
