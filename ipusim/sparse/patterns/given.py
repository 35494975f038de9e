"""The blocks that a caller names, such as those that training has arrived at."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ipusim.sparse.blocks import Blocks, blocks_from_flat
from ipusim.sparse.patterns.spec import Pattern, PatternError, PatternRequest


def given_option(mask: NDArray[np.bool_]) -> bytes:
    """Return the option ``mask`` for blocks that are to be kept: bool array [block rows, block columns]."""
    return np.packbits(mask.reshape(-1)).tobytes()


def _build(request: PatternRequest) -> Blocks:
    n_rows, n_cols = request.grid
    bits = np.unpackbits(np.frombuffer(request.options["mask"], dtype=np.uint8))
    if len(bits) < n_rows * n_cols:
        raise PatternError(f"the mask has {len(bits)} bits, there are {n_rows * n_cols} blocks")
    return blocks_from_flat(request.shape, request.block_size, np.flatnonzero(bits[: n_rows * n_cols]))


PATTERN = Pattern(name="given", options=("mask",), build=_build)
