"""N:M sparsity, such as 2:4: of every M neighbouring blocks of a row exactly N are kept, at random."""

from __future__ import annotations

from fractions import Fraction

import numpy as np

from ipusim.sparse.blocks import Blocks, blocks_from_flat
from ipusim.sparse.patterns.random_words import random_words
from ipusim.sparse.patterns.spec import Pattern, PatternError, PatternRequest


def _build(request: PatternRequest) -> Blocks:
    kept, group = request.options.get("n", 2), request.options.get("m", 4)
    if not all(isinstance(value, int) and not isinstance(value, bool) for value in (kept, group)):
        raise PatternError("n and m of the n_m pattern are whole numbers")
    if not 0 < kept <= group:
        raise PatternError(f"{kept}:{group} keeps {kept} of {group} blocks")
    if request.density != Fraction(kept, group):
        raise PatternError(f"{kept}:{group} is a density of {kept}/{group}, not {request.density}")
    n_rows, n_cols = request.grid
    if n_cols % group:
        raise PatternError(f"{n_cols} blocks per row are not a multiple of the group of {group}")
    keys = random_words(request.seed, n_rows * n_cols).reshape(-1, group)
    chosen = np.sort(np.argsort(keys, axis=1, kind="stable")[:, :kept], axis=1)
    flat = (np.arange(keys.shape[0])[:, None] * group + chosen).ravel()
    return blocks_from_flat(request.shape, request.block_size, flat)


PATTERN = Pattern(name="n_m", options=("n", "m"), build=_build)
