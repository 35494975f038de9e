"""Room in the buckets that the planner chooses itself."""

from __future__ import annotations

import numpy as np
import pytest
from dynamic_by_hand import dynamic_document
from scipy.stats import binom

from ipusim.chip.load import load_chip
from ipusim.cost.dynamic_overheads import dynamic_overheads
from ipusim.frontends.build import build_graph
from ipusim.frontends.workload import load_workload
from ipusim.plan.dynamic_executed import executed_pass
from ipusim.plan.dynamic_partition import partition_pattern
from ipusim.plan.dynamic_plan import DynamicPlan, plan_dynamic
from ipusim.plan.dynamic_problem import DynamicOptions
from ipusim.plan.dynamic_room import expected_overflow_cycles, expected_steps, plan_with_room, tail
from ipusim.plan.dynamic_sparse import DynamicSparsePlan, plan_dynamic_sparse
from ipusim.plan.problem import PlanOptions
from ipusim.plan.sparse_problem import sparse_problem
from ipusim.sparse.patterns.registry import build_pattern
from ipusim.sparse.patterns.spec import PatternRequest, density_of

BOW = load_chip("bow")
CASES = [(512, 4, 4, 1 / 16), (1024, 256, 16, 1 / 4), (1024, 256, 4, 1 / 64)]


@pytest.mark.parametrize(("trials", "probability"), [(1, 0.5), (20, 0.05), (500, 0.25), (4096, 1 / 64), (60, 0.97)])
def test_the_tail_is_that_of_a_binomial_distribution(trials: int, probability: float) -> None:
    for least in range(0, trials + 2, max(1, trials // 40)):
        assert tail(trials, probability, least) == pytest.approx(binom.sf(least - 1, trials, probability), abs=1e-12)
    assert tail(8, 1.0, 8) == 1.0
    assert tail(8, 1.0, 9) == 0.0


def planned(case: tuple[int, int, int, float], oversize: float | None) -> DynamicPlan:
    size, n, block_size, density = case
    if oversize is None:
        plan = plan_with_room(size, size, n, block_size, density, "float16", BOW, DynamicOptions())
    else:
        options = DynamicOptions(oversize=oversize)
        plan = plan_dynamic(size, size, n, block_size, density, "float16", BOW, options)
    assert plan is not None
    return plan


def executed(case: tuple[int, int, int, float], plan: DynamicPlan) -> tuple[float, float]:
    """Return the mean cycles and propagation steps of the pass forward over some random patterns."""
    size, _, block_size, density = case
    found = []
    for seed in range(3):
        blocks = build_pattern("random", PatternRequest((size, size), block_size, density_of(density), seed))
        placement = partition_pattern(plan, blocks)
        found.append((executed_pass(placement, BOW, dynamic_overheads(BOW)).total, placement.propagation_steps))
    cycles, steps = np.mean(found, axis=0)
    return float(cycles), float(steps)


@pytest.mark.parametrize("case", CASES)
def test_chosen_room_is_quicker_than_the_library_s_default(case: tuple[int, int, int, float]) -> None:
    chosen, default = planned(case, None), planned(case, 0.3)
    assert executed(case, chosen)[0] < 0.3 * executed(case, default)[0]
    assert executed(case, chosen)[1] == 0
    overheads = dynamic_overheads(BOW)
    costs = [each.estimated_cycles + expected_overflow_cycles(each, overheads) for each in (chosen, default)]
    assert costs[0] < costs[1]


@pytest.mark.parametrize("case", CASES)
def test_expected_steps_are_of_the_size_of_those_of_patterns(case: tuple[int, int, int, float]) -> None:
    plan = planned(case, 0.3)
    steps = executed(case, plan)[1]
    assert steps / 6 < expected_steps(plan) < 2 * steps
    assert expected_steps(planned(case, 16.0)) < 1e-6


def test_where_regions_have_many_non_zeros_little_room_is_enough() -> None:
    assert planned((4096, 256, 1, 1 / 16), None).problem.oversize <= 0.3


def test_a_workload_leaves_the_room_to_the_planner() -> None:
    document = dynamic_document((512, 512), 4, 4, "float16", "float32", density="1/16", oversize="auto")
    graph = build_graph(load_workload(document))
    plan = plan_dynamic_sparse(sparse_problem(graph, graph.ops[0]), BOW, PlanOptions())
    assert isinstance(plan, DynamicSparsePlan)
    assert plan.plan == planned(CASES[0], None)
    assert plan.to_dict()["oversize"] > 1
    assert plan.placement.propagation_steps == 0
