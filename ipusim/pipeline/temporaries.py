"""The lever ``temporaries``: other plans for the op at the peak, with less temporary memory on a tile."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from functools import partial
from typing import Any

from ipusim.engine.charges import charges_of
from ipusim.pipeline.choice import Candidate, Lever, Peak
from ipusim.pipeline.compiling import Compiled
from ipusim.plan.conv import ConvPlan
from ipusim.plan.dense import DensePlan
from ipusim.plan.gradient_problem import GradientProblem
from ipusim.plan.graph import Unplannable, plan_graph
from ipusim.plan.problem import PlanOptions
from ipusim.plan.tile_plan import TilePlan

Within = Callable[[PlanOptions], Mapping[str, Any]]
"""Returns the plans of some ops under a bound, by op; none if there is none for the op at the peak."""


def smaller_temporaries(compiled: Compiled, peak: Peak) -> Iterator[Candidate]:
    """Yield plans with less temporary memory for the op at the peak, and for all that ask the same of the planner.

    With as much less as is too much there, or, if nothing can be planned so, with a half or a quarter of it.
    """
    plan, chip = compiled.plans.get(peak.op), compiled.chip
    if plan is None or isinstance(plan, TilePlan):
        return
    bounded = int(compiled.workload.compile.available_memory_proportion * chip.tile_sram_bytes)
    now, within = _planner_of(compiled, peak.op, plan, compiled.choice.temporaries.get(peak.op, bounded))
    for bound in dict.fromkeys(each for each in (now - peak.excess_bytes, now // 2, now // 4) if each > 0):
        smaller = within(PlanOptions(bound / chip.tile_sram_bytes, may_relax=False, runners_up=0))
        if all(_is_same(other, compiled.plans[op]) for op, other in smaller.items()):
            continue
        added = sum(_added_cycles(compiled, other, compiled.plans[op]) for op, other in smaller.items())
        temporaries = {**compiled.choice.temporaries, **dict.fromkeys(smaller, bound)}
        lever = Lever("temporaries", tuple(smaller), max(0, added), bound)
        yield Candidate(lever, replace(compiled.choice, temporaries=temporaries))
        return


def _planner_of(compiled: Compiled, op: str, plan: Any, bound: int) -> tuple[int, Within]:
    """Return the temporary bytes of a plan, or their bound, and what plans the op and others like it."""
    if isinstance(plan, DensePlan | ConvPlan):
        return min(bound, plan.estimate.temporary_bytes), partial(_equal_within, compiled, op, plan)
    if plan.problem.sparsity.mode == "dynamic":
        return plan.plan.temporary_bytes, partial(_dynamic_within, compiled, plan)
    if isinstance(plan.problem, GradientProblem):
        return plan.temporary_bytes, partial(_gradients_within, compiled, op, plan)
    return bound, partial(_equal_within, compiled, op, plan)


def _equal_within(compiled: Compiled, name: str, plan: Any, limits: PlanOptions) -> Mapping[str, Any]:
    """Plan an op, and all with the same problem."""
    op = next(each for each in compiled.graph.ops if each.name == name)
    smaller = plan_graph(replace(compiled.graph, ops=(op,)), compiled.chip, limits)[name]
    if isinstance(smaller, Unplannable):
        return {}
    others = ((other, each) for other, each in compiled.plans.items() if not isinstance(each, TilePlan))
    return dict.fromkeys((other for other, each in others if each.problem == plan.problem), smaller)


def _dynamic_within(compiled: Compiled, plan: Any, limits: PlanOptions) -> Mapping[str, Any]:
    """Plan all passes over dynamic weights that are laid out like that of the op: they share their buckets."""
    from ipusim.plan.dynamic_gradient import DynamicGradientPlan
    from ipusim.plan.dynamic_sparse import DynamicSparsePlan

    kinds = DynamicSparsePlan | DynamicGradientPlan
    dynamic = {name: each for name, each in compiled.plans.items() if isinstance(each, kinds)}
    weights = {each.problem.sparse for each in dynamic.values() if each.plan == plan.plan}
    alike = {name for name, each in dynamic.items() if each.problem.sparse in weights}
    ops = tuple(op for op in compiled.graph.ops if op.name in alike)
    smaller = plan_graph(replace(compiled.graph, ops=ops), compiled.chip, limits)
    return {} if any(isinstance(each, Unplannable) for each in smaller.values()) else smaller


def _gradients_within(compiled: Compiled, name: str, plan: Any, limits: PlanOptions) -> Mapping[str, Any]:
    """Cut the gradient of a static weight into more slices, and those of other weights of the same size."""
    from ipusim.plan.static_gradient import StaticGradientPlan, plan_static_gradient

    def size(problem: GradientProblem) -> tuple[int, ...]:
        return problem.m, problem.k, problem.n, problem.blocks.block_size

    bound = int(limits.available_memory_proportion * compiled.chip.tile_sram_bytes)
    found = {
        other: plan_static_gradient(each.problem, each.forward, compiled.chip, limits)
        for other, each in compiled.plans.items()
        if isinstance(each, StaticGradientPlan)
        and each.temporary_bytes > bound
        and size(each.problem) == size(plan.problem)
    }
    return {} if found.get(name) is None else {other: each for other, each in found.items() if each is not None}


def _added_cycles(compiled: Compiled, plan: Any, before: Any) -> int:
    """Return what a plan takes more than another one; of slices, with the overhead of their phases."""

    def phases(each: Any) -> int:
        slices = getattr(each, "n_slices", 0)
        return int(slices and slices * (exchange + (1 + each.amp) * charges.compute_set_cycles))

    charges = charges_of(compiled.chip)
    exchange = charges.sync_cycles + charges.exchange_cycles
    return int(plan.cycles + phases(plan) - before.cycles - phases(before))


def _is_same(plan: Any, other: Any) -> bool:
    """Tell whether two plans of an op split it alike; those of sparse ops hold arrays, and go by what they show."""
    if isinstance(plan, DensePlan | ConvPlan):
        return bool(plan == other)
    first, second = plan.to_dict(), other.to_dict()
    return all(first[key] == second.get(key) for key in first if key not in ("runners_up", "memory_bound_bytes"))
