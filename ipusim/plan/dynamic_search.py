"""The exhaustive search over the partitions of a dynamic sparse product.

Every ``p_m * p_k * p_n`` that fits on the chip is estimated, in all planned passes together. Splits that give the same
largest part as a smaller one are left out, and the batch is divided into equal parts only.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ipusim.cost.arithmetic import ceil_div
from ipusim.plan.dynamic_estimate import pass_estimate, total_cycles
from ipusim.plan.dynamic_estimate_grad_w import grad_w_estimate, grad_w_total_cycles
from ipusim.plan.dynamic_problem import DynamicProblem

WORD_LIMIT = 65535
"""Largest number that a 16-bit word of metadata can hold."""

IntArray = NDArray[np.int64]


def distinct_splits(size: int, most: int) -> list[int]:
    """Return the numbers of parts, up to `most`, that each make the largest part of `size` smaller, ascending."""
    splits = []
    parts = 1
    while 0 < parts <= most:
        splits.append(parts)
        part = ceil_div(size, parts)
        parts = ceil_div(size, part - 1) if part > 1 else 0
    return splits


def candidate_partitions(problem: DynamicProblem, z_grain: int, fixed: tuple[int, int, int]) -> IntArray:
    """Return all partitions worth an estimate: int64 array [candidates, 3] of ``p_m, p_k, p_n``, ascending.

    Parameters
    ----------
    problem : DynamicProblem
        Sizes, formats, chip.
    z_grain : int
        Columns of the dense operand that stay together.
    fixed : tuple of int
        Parts that the user fixed; 0 is free.

    Notes
    -----
    Element-wise metadata holds offsets in 16-bit words: of a row of the dense operand in bytes, and of a row of the
    output. Regions are numbered in 16 bits too. Source: reference/sparse.md section 2.2, MODEL_DYNAMIC.md section 2
    item 3.
    """
    tiles = problem.n_tiles
    z_all = ceil_div(problem.n, z_grain)
    splits = [
        distinct_splits(problem.m_groups, tiles),
        distinct_splits(problem.k_groups, tiles),
        [parts for parts in range(1, min(z_all, tiles) + 1) if z_all % parts == 0],
    ]
    axes = [[parts for parts in axis if wanted in (0, parts)] for axis, wanted in zip(splits, fixed, strict=True)]
    grid = np.meshgrid(*(np.array(axis, np.int64) for axis in axes), indexing="ij")
    p_m, p_k, p_n = (axis.ravel() for axis in grid)
    fits = (p_m * p_k * p_n <= tiles) & (p_m * p_k <= WORD_LIMIT)
    if problem.block_size == 1:
        z = z_all // p_n * z_grain
        x_last, y_last = -(-problem.m_groups // p_m) - 1, -(-problem.k_groups // p_k) - 1
        fits &= (y_last * z * problem.data_bytes <= WORD_LIMIT) & (x_last <= WORD_LIMIT)
        if problem.grad_a and not problem.shared_buckets:
            fits &= (x_last * z * problem.data_bytes <= WORD_LIMIT) & (y_last <= WORD_LIMIT)
    return np.stack([p_m[fits], p_k[fits], p_n[fits]], axis=1)


def add_pass(
    problem: DynamicProblem,
    partitions: IntArray,
    z_grain: int,
    transposed: bool,
    cycles: IntArray,
    temporary_bytes: IntArray,
) -> None:
    """Add the estimate of a pass for each partition to `cycles`, and raise `temporary_bytes` to its peak.

    Parameters
    ----------
    partitions : int64 array [candidates, 3]
    cycles, temporary_bytes : int64 array [candidates]
        Changed in place.
    """
    for i in range(len(partitions)):
        estimate = pass_estimate(problem, partitions[i, 0], partitions[i, 1], partitions[i, 2], z_grain, transposed)
        cycles[i] += total_cycles(estimate)
        temporary_bytes[i] = max(temporary_bytes[i], estimate.temporary_bytes)


def add_grad_w(
    problem: DynamicProblem,
    partitions: IntArray,
    z_grain: int,
    amp: bool,
    exchange_buckets: bool,
    cycles: IntArray,
    temporary_bytes: IntArray,
) -> None:
    """Add the estimate of the weight gradient for each partition (arrays as in :func:`add_pass`)."""
    for i in range(len(partitions)):
        estimate = grad_w_estimate(
            problem, partitions[i, 0], partitions[i, 1], partitions[i, 2], z_grain, amp, exchange_buckets
        )
        cycles[i] += grad_w_total_cycles(estimate)
        temporary_bytes[i] = max(temporary_bytes[i], estimate.temporary_bytes)


def best_under(cycles: IntArray, temporary_bytes: IntArray, bound_bytes: int) -> int:
    """Return the index with the least cycles, then the least bytes, within the bound; -1 where there is none."""
    allowed = np.flatnonzero(temporary_bytes <= bound_bytes)
    if not allowed.size:
        return -1
    return int(allowed[np.lexsort((temporary_bytes[allowed], cycles[allowed]))[0]])
