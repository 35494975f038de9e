"""A band round the diagonal: in every row the blocks next to the diagonal, as many as the density asks for."""

from __future__ import annotations

import numpy as np

from ipusim.sparse.blocks import Blocks, blocks_from_flat
from ipusim.sparse.patterns.spec import Pattern, PatternRequest


def _build(request: PatternRequest) -> Blocks:
    n_rows, n_cols = request.grid
    row = np.arange(n_rows)
    bounds = np.arange(n_rows + 1) * request.n_blocks // n_rows
    width = np.diff(bounds)
    middle = (2 * row + 1) * n_cols // (2 * n_rows)
    start = np.clip(middle - width // 2, 0, n_cols - width)
    flat = np.repeat(row * n_cols + start, width) + np.arange(request.n_blocks) - np.repeat(bounds[:-1], width)
    return blocks_from_flat(request.shape, request.block_size, flat)


PATTERN = Pattern(name="banded", options=(), build=_build)
