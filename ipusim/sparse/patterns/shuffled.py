"""The pattern of the published benchmark: a C++ ``std::shuffle`` of all block indices, of which the first are kept.

The benchmark seeds the default engine of the GNU standard library (x -> 16807 x mod 2^31 - 1) with 123.
Its shuffle draws two positions from one random number while the square of the range fits in the engine's. What the
library leaves to the implementation is reproduced here from its documented behaviour, and checked against its output.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ipusim.sparse.blocks import Blocks, blocks_from_flat
from ipusim.sparse.patterns.spec import Pattern, PatternError, PatternRequest, ascending

BENCHMARK_SEED = 123
MULTIPLIER = 16807
MODULUS = 2147483647
ENGINE_RANGE = MODULUS - 2
"""Largest minus smallest number of the engine, which draws from 1 to ``MODULUS - 1``."""


def shuffle_in_place(values: NDArray[np.int32], seed: int) -> None:
    """Shuffle `values` like ``std::shuffle`` with a ``std::default_random_engine`` seeded with `seed`.

    Parameters
    ----------
    values : int32 array [n]
        Changed in place; `n` below 2^31 - 2.
    seed : int
        Seed of the engine; multiples of the modulus count as 1.
    """
    state = seed % MODULUS
    if state == 0:
        state = 1
    size = len(values)
    first = 1
    if 0 < size * size <= ENGINE_RANGE:
        if size % 2 == 0:
            bound = ENGINE_RANGE // 2
            draw = MODULUS
            while draw >= 2 * bound:
                state = state * MULTIPLIER % MODULUS
                draw = state - 1
            other = draw // bound
            values[1], values[other] = values[other], values[1]
            first = 2
        while first < size:
            count = (first + 1) * (first + 2)
            bound = ENGINE_RANGE // count
            draw = MODULUS
            while draw >= count * bound:
                state = state * MULTIPLIER % MODULUS
                draw = state - 1
            both = draw // bound
            other = both // (first + 2)
            values[first], values[other] = values[other], values[first]
            other = both % (first + 2)
            values[first + 1], values[other] = values[other], values[first + 1]
            first += 2
        return
    while first < size:
        count = first + 1
        bound = ENGINE_RANGE // count
        draw = MODULUS
        while draw >= count * bound:
            state = state * MULTIPLIER % MODULUS
            draw = state - 1
        other = draw // bound
        values[first], values[other] = values[other], values[first]
        first += 1


def draw_first(kept: NDArray[np.int32], total: int, seed: int) -> None:
    """Find where a shuffle of the numbers below a large `total` begins, without all of them in memory.

    The shuffle goes through the numbers and swaps each with one at or before it, so that a number beyond the `n` first
    places is where it was when its turn comes, and moves to one of these places or does not matter.

    Parameters
    ----------
    kept : int32 array [n + 1]
        Filled with the first `n` numbers after :func:`shuffle_in_place` of all; the last element is scratch.
    total : int
        At least `n`, and so large that each draw needs a random number of its own.
    seed : int
        Seed of the engine; multiples of the modulus count as 1.

    Notes
    -----
    The range of the draws is found without a division of integers: a quotient of two integers below 2^31 is exact in
    double precision once it is truncated.
    """
    n_kept = len(kept) - 1
    state = seed % MODULUS
    if state == 0:
        state = 1
    kept[0] = 0
    for place in range(1, n_kept):
        bound = int(ENGINE_RANGE / (place + 1))
        state = next_state(state, (place + 1) * bound)
        other = int((state - 1) / bound)
        kept[place] = kept[other]
        kept[other] = place
    for place in range(max(n_kept, 1), total):
        bound = int(ENGINE_RANGE / (place + 1))
        state = next_state(state, (place + 1) * bound)
        kept[min(int((state - 1) / bound), n_kept)] = place


def next_state(state: int, limit: int) -> int:
    """Return the engine's next number that is at most `limit`, by the sum of high and low bits (a Mersenne prime)."""
    while True:
        state *= MULTIPLIER
        state = (state & MODULUS) + (state >> 31)
        if state >= MODULUS:
            state -= MODULUS
        if state <= limit:
            return state


def _build(request: PatternRequest) -> Blocks:
    total = request.grid[0] * request.grid[1]
    if total > ENGINE_RANGE:
        raise PatternError(f"the shuffled pattern has at most {ENGINE_RANGE} blocks, not {total}")
    seed = int(request.options.get("engine_seed", BENCHMARK_SEED))
    if total * total <= ENGINE_RANGE:
        order = np.arange(total, dtype=np.int32)
        request.accelerate(shuffle_in_place)(order, seed)
    else:
        order = np.empty(request.n_blocks + 1, dtype=np.int32)
        request.accelerate(draw_first)(order, total, seed)
    return blocks_from_flat(request.shape, request.block_size, ascending(order[: request.n_blocks], total))


PATTERN = Pattern(name="shuffled", options=("engine_seed",), build=_build)
