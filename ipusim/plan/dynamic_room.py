"""How much room the buckets of a dynamic tensor get where the user leaves it to the planner.

More room costs memory and makes buckets longer to send; less room makes non-zeros overflow, which then travel from tile
to tile. Both are weighed for patterns that are uniformly random: the non-zeros of a region are binomially distributed.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction
from functools import lru_cache

from ipusim.chip.model import Chip
from ipusim.cost.dynamic_overheads import DynamicOverheads, dynamic_overheads
from ipusim.cost.exchange import receive_cycles
from ipusim.plan.dynamic_plan import DynamicPlan, plan_dynamic
from ipusim.plan.dynamic_problem import DynamicOptions

AUTO = "auto"
"""Stands where a number says how much room there is."""

ROOMS = (0.0, 0.1, 0.2, 0.3, 0.5, 0.75, 1.0, 1.5, 2.0, 3.0, 4.0, 6.0, 8.0, 12.0, 16.0, 24.0, 32.0)
"""Allowances that are tried."""


def plan_with_room(
    m: int,
    k: int,
    n: int,
    block_size: int,
    density: float | Fraction,
    dtype: str,
    chip: Chip,
    options: DynamicOptions,
) -> DynamicPlan | None:
    """Return the plan, and with it the allowance of the buckets, with the least expected cycles of all passes.

    Parameters are those of :func:`~ipusim.plan.dynamic_plan.plan_dynamic`; the allowance of `options` is not read.
    Plans that meet the bound on memory come before those that do not; of equal ones the one with less room is taken.

    Notes
    -----
    For no partition do more room and the same bound mean fewer estimated cycles, so that the search ends where the
    estimate alone reaches what was found.
    """
    overheads = dynamic_overheads(chip)
    best: tuple[bool, float] | None = None
    found: DynamicPlan | None = None
    for room in ROOMS:
        plan = plan_dynamic(m, k, n, block_size, density, dtype, chip, replace(options, oversize=room))
        if plan is None:
            continue
        if best is not None and (plan.relaxed, float(plan.estimated_cycles)) >= best:
            break
        cost = (plan.relaxed, plan.estimated_cycles + expected_overflow_cycles(plan, overheads))
        if best is None or cost < best:
            best, found = cost, plan
    return found


def expected_overflow_cycles(plan: DynamicPlan, overheads: DynamicOverheads) -> float:
    """Return the cycles that propagation takes on average over random patterns, in all planned passes together.

    Parameters
    ----------
    plan : DynamicPlan
    overheads : DynamicOverheads

    Notes
    -----
    A step sends every bucket to the next tile and works on it; each pass repeats all of them.
    """
    steps = expected_steps(plan)
    if steps == 0.0:
        return 0.0
    travel = receive_cycles(plan.bucket_bytes, plan.problem.exchange_rate) + overheads.step_cycles
    total = 0.0
    for each in (plan.forward, plan.grad_a, plan.grad_w):
        if each is not None:
            total += steps * (travel + each.multiply_cycles / plan.p_n)
    return total


def expected_steps(plan: DynamicPlan) -> float:
    """Return the mean number of propagation steps of a random pattern.

    Notes
    -----
    A region overflows where it has more non-zeros than its ``p_n`` buckets hold. What is left over goes to the nearest
    region of the same rows with room, and the furthest way decides. With a share `q` of the regions full, a way is
    longer than `d` with probability ``q^d``, so that the longest of `t` ways has the mean ``sum over d of
    (1 - (1 - q^d)^t)``. Where all regions of the same rows together have too little room, non-zeros go to other rows:
    then the buckets pass through all columns for each of them.
    """
    problem = plan.problem
    regions, cells = plan.p_m * plan.p_k, plan.x_groups * plan.y_groups
    room = plan.p_n * plan.bucket_groups
    over = tail(cells, problem.density, room + 1)
    rows_over = tail(plan.x_groups * problem.k_groups, problem.density, plan.p_k * room + 1)
    if over == 0.0 and rows_over == 0.0:
        return 0.0
    leaving = regions * over
    full = tail(cells, problem.density, room)
    ways = sum(_any_of(leaving, full**distance) for distance in range(plan.p_k)) if plan.p_k > 1 else 0.0
    rows_leaving = plan.p_m * rows_over
    rows_full = tail(plan.x_groups * problem.k_groups, problem.density, plan.p_k * room)
    row_ways = sum(_any_of(rows_leaving, rows_full**distance) for distance in range(plan.p_m)) if plan.p_m > 1 else 0.0
    return plan.p_n * (ways + row_ways * plan.p_k)


def _any_of(count: float, probability: float) -> float:
    """Return how likely it is that any of so many events happens, their number being a mean."""
    return -math.expm1(-count * probability)


@lru_cache(maxsize=4096)
def tail(trials: int, probability: float, least: int) -> float:
    """Return how likely it is that of `trials`, each with the same probability, at least `least` succeed.

    Sums the terms of the binomial distribution from `least` upwards, which fall off where that is above the mean; below
    it, the other end.
    """
    if least <= 0:
        return 1.0
    if least > trials:
        return 0.0
    if probability >= 1.0:
        return 1.0
    if least <= trials * probability:
        return max(0.0, 1.0 - sum(_terms(trials, probability, least - 1, -1)))
    return min(1.0, sum(_terms(trials, probability, least, 1)))


def _terms(trials: int, probability: float, first: int, step: int) -> Iterator[float]:
    """Yield the probabilities of exactly `first` successes, one more or one fewer, and so on, until they vanish."""
    odds = probability / (1.0 - probability)
    chosen = math.lgamma(trials + 1) - math.lgamma(first + 1) - math.lgamma(trials - first + 1)
    term = math.exp(chosen + first * math.log(probability) + (trials - first) * math.log1p(-probability))
    at = first
    while 0 <= at <= trials and term > 1e-18:
        yield term
        term *= (trials - at) / (at + 1) * odds if step > 0 else at / ((trials - at + 1) * odds)
        at += step
