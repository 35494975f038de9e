"""How many non-zeros a tile may expect while the pattern is unknown, and how large its buckets have to be.

A bucket is the fixed-size container of a tile: values, and 16-bit words that say where they belong. Its size is chosen
from the declared maximum of non-zeros, spread evenly, times an allowance for imbalance. Everything is counted in
groups: elements (block size 1) or blocks. Source: reference/sparse.md sections 2.2 and 2.7.
"""

from __future__ import annotations

import math

from ipusim.cost.arithmetic import ceil_div, round_up

WORD_BYTES = 2
PLANNED_SUB_GROUPS = 2
ROW_WORDS = 2


def expected_rows(density: float, x_groups: int, y_groups: int) -> int:
    """Return the rows of an ``x_groups x y_groups`` part of a uniform random pattern that are not empty."""
    return math.ceil(x_groups * (1.0 - math.pow(1.0 - density, y_groups)))


def expected_row_length(density: float, x_groups: int, y_groups: int, rows: int) -> int:
    """Return the groups in each of the `rows` occupied rows of such a part."""
    return ceil_div(math.ceil(x_groups * y_groups * density), rows)


def header_words(block_size: int, grad_w: bool, workers: int) -> int:
    """Return the metadata words of a sub-group before its rows begin.

    Element-wise: 9 words and 5 per worker, and with weight gradients 1 + 4 more per worker. The planner counts that
    extra word per worker; the partitioner stores it once (`stored_header_words`).
    """
    if block_size == 1:
        return 9 + workers * (5 + (5 if grad_w else 0))
    return 7 + (workers * 4 if grad_w else 0)


def stored_header_words(block_size: int, grad_w: bool, workers: int) -> int:
    """Return the metadata words that a sub-group really stores before its rows begin."""
    if block_size == 1:
        return 9 + workers * 5 + (workers * 4 + 1 if grad_w else 0)
    return 7 + (workers * 4 if grad_w else 0)


def bucket_groups(n_groups: int, n_tiles_used: int, oversize: float, group_bytes: int, atom_bytes: int) -> int:
    """Return how many groups of non-zeros the bucket of a tile holds.

    Parameters
    ----------
    n_groups, n_tiles_used : int
        Declared maximum of non-zero groups, and tiles that share them.
    oversize : float
        Allowance for imbalance; 0.3 adds 30 %.
    group_bytes, atom_bytes : int
        Bytes of the values of a group, and the smallest exchanged unit in bytes.

    Returns
    -------
    int
        Groups per bucket, a whole number of exchange atoms.
    """
    even = ceil_div(n_groups, n_tiles_used)
    groups = math.floor(even * (1.0 + oversize) + 0.5)
    return round_up(groups, atom_bytes // math.gcd(group_bytes, atom_bytes))


def bucket_words(
    block_size: int,
    density: float,
    x_groups: int,
    y_groups: int,
    oversize: float,
    words_per_group: int,
    grad_w: bool,
    workers: int,
    atom_bytes: int,
) -> int:
    """Return the 16-bit metadata words of a bucket: enough for the whole ``x_groups x y_groups`` region.

    The words are not divided by the number of batch partitions, although the non-zeros are: a quirk of the library that
    every tile pays in memory and every bucket in exchange.

    Parameters
    ----------
    block_size, density, x_groups, y_groups, oversize
        The pattern, the region of a tile row and column partition in groups, and the allowance for imbalance.
    words_per_group : int
        Words per group of non-zeros: 1, or 2 in the separate buckets of the input gradient (which permute the values).
    grad_w : bool
        Weight gradients are computed from the same buckets.
    workers, atom_bytes : int
        Worker contexts of a tile; smallest exchanged unit in bytes.

    Returns
    -------
    int
        Words, a whole number of exchange atoms.
    """
    rows = expected_rows(density, x_groups, y_groups)
    length = expected_row_length(density, x_groups, y_groups, rows)
    body = math.ceil(rows * (ROW_WORDS + length * words_per_group) * (1.0 + oversize))
    words = PLANNED_SUB_GROUPS * header_words(block_size, grad_w, workers) + body
    return round_up(words, WORD_BYTES * atom_bytes // math.gcd(WORD_BYTES, atom_bytes))
