"""The plan of a dynamic sparse product: made for the declared maximum of non-zeros, without knowing the pattern.

The planner minimises the estimated cycles of all planned passes together, under a bound on the temporary bytes of a
tile that holds for the worst pass. Where no partition meets the bound, the bound is doubled while it is below twice the
SRAM, and then dropped: such a plan is marked as relaxed.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from ipusim.chip.model import Chip
from ipusim.cost.arithmetic import ceil_div
from ipusim.cost.dynamic_non_zeros import WORD_BYTES
from ipusim.kernels.jit import compiled
from ipusim.plan.cache import Rows, read_entry, write_entry
from ipusim.plan.dynamic_estimate import PassEstimate, bucket_size, grad_a_words, pass_estimate
from ipusim.plan.dynamic_estimate_grad_w import GradWEstimate, grad_w_estimate
from ipusim.plan.dynamic_problem import DynamicOptions, DynamicProblem, dynamic_problem
from ipusim.plan.dynamic_search import add_grad_w, add_pass, best_under, candidate_partitions

UNBOUNDED_BYTES = 1 << 62


@dataclass(frozen=True, slots=True)
class DynamicPlan:
    """A partition with its buckets and its estimates.

    Attributes
    ----------
    problem : DynamicProblem
        What was planned for.
    p_m, p_k, p_n : int
        Parts of the rows, the columns and the batch; a tile for each combination.
    z_grain : int
        Batch columns that stay together.
    amp_grad_w : bool
        The weight gradient of blocks uses the AMP.
    exchange_buckets : bool
        In the weight gradient the buckets travel, not the dense operands.
    bucket_groups : int
        Non-zero groups that a bucket holds.
    bucket_words, grad_a_words : int
        16-bit metadata words of a bucket, for the forward pass and for the gradient of the dense input.
    forward, grad_a, grad_w : PassEstimate or GradWEstimate or None
        The planner's estimates; None for a pass that is not planned.
    estimated_cycles : int
        Their sum.
    temporary_bytes : int
        The most that a tile holds in any phase of any planned pass, by the planner's count.
    bound_bytes : int
        Bound that the plan meets; 0 when it meets none.
    relaxed : bool
        The user's bound had to be exceeded.
    """

    problem: DynamicProblem
    p_m: int
    p_k: int
    p_n: int
    z_grain: int
    amp_grad_w: bool
    exchange_buckets: bool
    bucket_groups: int
    bucket_words: int
    grad_a_words: int
    forward: PassEstimate
    grad_a: PassEstimate | None
    grad_w: GradWEstimate | None
    estimated_cycles: int
    temporary_bytes: int
    bound_bytes: int
    relaxed: bool

    @property
    def n_tiles_used(self) -> int:
        """Tiles with a part of the work."""
        return self.p_m * self.p_k * self.p_n

    @property
    def x_groups(self) -> int:
        """Rows of a tile, in blocks (the last part may have fewer)."""
        return ceil_div(self.problem.m_groups, self.p_m)

    @property
    def y_groups(self) -> int:
        """Columns of the sparse operand on a tile, in blocks."""
        return ceil_div(self.problem.k_groups, self.p_k)

    @property
    def z(self) -> int:
        """Columns of the dense operand on a tile, in elements."""
        return ceil_div(self.problem.n, self.z_grain) // self.p_n * self.z_grain

    @property
    def dense_unit(self) -> int:
        """What a block column of the sparse operand advances the offset of a non-zero in the metadata.

        Blocks count elements of the inner extent; single elements count bytes of a tile's dense operand.
        """
        block = self.problem.block_size
        return block if block > 1 else self.z * self.problem.data_bytes

    @property
    def bucket_bytes(self) -> int:
        """Bytes of a bucket: values and metadata."""
        values = self.bucket_groups * self.problem.block_size**2 * self.problem.data_bytes
        return values + self.bucket_words * WORD_BYTES

    @property
    def resident_bytes(self) -> int:
        """Bytes of the sparse operand that always lie on a tile: its bucket, and the other pass's own metadata."""
        separate = self.problem.block_size == 1 and not self.problem.shared_buckets
        return self.bucket_bytes + (self.grad_a_words * WORD_BYTES if separate else 0)


def methods(problem: DynamicProblem) -> Iterator[tuple[int, bool]]:
    """Yield the batch grain and whether the weight gradient uses the AMP, for each way to do the products.

    Source: reference/sparse.md section 2.2.
    """
    vector = 8 // problem.data_bytes
    if problem.block_size == 1:
        yield vector, False
        return
    yield 1, False
    if problem.n % (4 * vector) == 0 and problem.block_size % 4 == 0:
        yield 4 * vector, True


def bounds_bytes(tile_sram_bytes: int, available_memory_proportion: float) -> Iterator[int]:
    """Yield the bounds on the temporary bytes of a tile in the order in which they are tried."""
    bound = int(tile_sram_bytes * available_memory_proportion)
    yield bound
    while 0 < 2 * bound < 2 * tile_sram_bytes:
        bound *= 2
        yield bound
    yield UNBOUNDED_BYTES


def plan_dynamic(
    m: int,
    k: int,
    n: int,
    block_size: int,
    density: float | Fraction,
    dtype: str,
    chip: Chip,
    options: DynamicOptions | None = None,
) -> DynamicPlan | None:
    """Return the best plan of ``Y[m, n] = W[m, k] X[k, n]`` with a dynamic `W`.

    Parameters
    ----------
    m, k, n : int
        Sizes in elements.
    block_size : int
        Edge of the blocks on the device.
    density : float or Fraction
        Declared maximum of non-zero elements over all, in (0, 1].
    dtype : str
        ``float16`` or ``float32``.
    chip : Chip
        The chip.
    options : DynamicOptions, optional
        The library's defaults when left out.

    Returns
    -------
    DynamicPlan or None
        None when no partition is possible at all: the 16-bit offsets of element-wise metadata do not reach.
    """
    chosen = options or DynamicOptions()
    return _search(dynamic_problem(m, k, n, block_size, density, dtype, chip, chosen), chosen, chip.tile_sram_bytes)


@lru_cache(maxsize=1024)
def _search(problem: DynamicProblem, options: DynamicOptions, tile_sram_bytes: int) -> DynamicPlan | None:
    """Return the best plan, from the cache on disk if possible."""
    key = (problem, options, tile_sram_bytes)
    known = read_entry(key)
    if known is None:
        known = _search_rows(problem, options, tile_sram_bytes)
        write_entry(key, *known)
    rows, bound = known
    if not rows:
        return None
    first = next(bounds_bytes(tile_sram_bytes, options.available_memory_proportion))
    return _plan(problem, rows[0], 0 if bound == UNBOUNDED_BYTES else bound, bound != first)


def _search_rows(problem: DynamicProblem, options: DynamicOptions, tile_sram_bytes: int) -> tuple[Rows, int]:
    """Return ``p_m, p_k, p_n``, method, cycles and bytes of the best partition (or no row), and the bound it meets."""
    candidates = _candidates(problem, options)
    for bound in bounds_bytes(tile_sram_bytes, options.available_memory_proportion):
        best: tuple[int, ...] | None = None
        for candidate in candidates:
            index = best_under(candidate.cycles, candidate.temporary_bytes, bound)
            if index < 0:
                continue
            cost = (int(candidate.cycles[index]), int(candidate.temporary_bytes[index]))
            if best is None or cost < best[-2:]:
                method = (candidate.z_grain, int(candidate.amp), int(candidate.exchange_buckets))
                best = (*candidate.partitions[index].tolist(), *method, *cost)
        if best is not None:
            return (best,), bound
    return (), 0


@dataclass(frozen=True, slots=True)
class _Candidates:
    """All partitions of one method, with their joint estimates."""

    z_grain: int
    amp: bool
    exchange_buckets: bool
    partitions: NDArray[np.int64]
    cycles: NDArray[np.int64]
    temporary_bytes: NDArray[np.int64]


def _candidates(problem: DynamicProblem, options: DynamicOptions) -> list[_Candidates]:
    travelling = [False]
    if problem.grad_w:
        travelling = [False, True] if options.exchange_buckets is None else [options.exchange_buckets]
    found = []
    for grain, amp in methods(problem):
        partitions = candidate_partitions(problem, grain, options.partition)
        cycles, temporary = np.zeros((2, len(partitions)), np.int64)
        compiled(add_pass)(problem, partitions, grain, False, cycles, temporary)
        if problem.grad_a:
            compiled(add_pass)(problem, partitions, grain, True, cycles, temporary)
        for exchange_buckets in travelling:
            joint, peak = cycles.copy(), temporary.copy()
            if problem.grad_w:
                compiled(add_grad_w)(problem, partitions, grain, amp, exchange_buckets, joint, peak)
            found.append(_Candidates(grain, amp, exchange_buckets, partitions, joint, peak))
    return found


def _plan(problem: DynamicProblem, row: tuple[int, ...], bound: int, relaxed: bool) -> DynamicPlan:
    p_m, p_k, p_n, grain, amp, exchange_buckets, cycles, temporary_bytes = row
    groups, words = bucket_size(problem, p_m, p_k, p_n)
    grad_w = None
    if problem.grad_w:
        grad_w = grad_w_estimate(problem, p_m, p_k, p_n, grain, bool(amp), bool(exchange_buckets))
    return DynamicPlan(
        problem=problem,
        p_m=p_m,
        p_k=p_k,
        p_n=p_n,
        z_grain=grain,
        amp_grad_w=bool(amp),
        exchange_buckets=bool(exchange_buckets),
        bucket_groups=groups,
        bucket_words=words,
        grad_a_words=grad_a_words(problem, p_m, p_k) if problem.grad_a else 0,
        forward=pass_estimate(problem, p_m, p_k, p_n, grain, False),
        grad_a=pass_estimate(problem, p_m, p_k, p_n, grain, True) if problem.grad_a else None,
        grad_w=grad_w,
        estimated_cycles=cycles,
        temporary_bytes=temporary_bytes,
        bound_bytes=bound,
        relaxed=relaxed,
    )
