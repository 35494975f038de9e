"""Dense blocks along the diagonal: ``1 / density`` of them."""

from __future__ import annotations

import numpy as np

from ipusim.sparse.blocks import Blocks, blocks_from_flat
from ipusim.sparse.patterns.spec import Pattern, PatternError, PatternRequest


def _build(request: PatternRequest) -> Blocks:
    if request.density.numerator != 1:
        raise PatternError(f"block_diagonal needs a density of one over a whole number, not {request.density}")
    n_parts = request.density.denominator
    n_rows, n_cols = request.grid
    if n_parts > min(n_rows, n_cols):
        raise PatternError(f"{n_parts} diagonal blocks do not fit in {n_rows}x{n_cols} blocks")
    part = np.arange(n_rows) * n_parts // n_rows
    start = -(-part * n_cols // n_parts)
    width = -(-(part + 1) * n_cols // n_parts) - start
    offsets = np.arange(int(width.sum())) - np.repeat(np.cumsum(width) - width, width)
    flat = np.repeat(np.arange(n_rows) * n_cols + start, width) + offsets
    return blocks_from_flat(request.shape, request.block_size, flat)


PATTERN = Pattern(name="block_diagonal", options=(), build=_build)
