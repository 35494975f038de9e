"""Matmuls whose plan the test chooses, rather than the planner, and random ones of them."""

from dataclasses import dataclass

from hypothesis import strategies as st

from ipusim.chip.load import load_chip
from ipusim.chip.model import Chip
from ipusim.cost.arithmetic import ceil_div
from ipusim.formats import number_format
from ipusim.frontends.build import build_graph
from ipusim.frontends.workload import load_workload
from ipusim.ir.program import Program
from ipusim.lower.lowering import lower_graph
from ipusim.plan.dense import DensePlan, machine_of, oriented, product_of, variants_of
from ipusim.plan.dense_estimate import OUTER_PRODUCT, Share, Split, Variant, estimate, largest_share
from ipusim.plan.dense_search import cuts, distinct_splits
from ipusim.plan.problem import MatMulProblem

FORMATS = (("float16", "float16"), ("float16", "float32"), ("float32", "float32"))


def document(problem, name="handmade", **attributes):
    """Return a workload with one matmul, ``y = w x``."""
    groups = [problem.groups] if problem.groups > 1 else []
    op = {"op": "matmul", "name": "y", "inputs": ["w", "x"], "output": "y", "partials": problem.partials_format}
    return {
        "name": name,
        "dtype": problem.inputs_format,
        "tensors": {"w": {"shape": [*groups, problem.m, problem.k]}, "x": {"shape": [*groups, problem.k, problem.n]}},
        "ops": [op | attributes],
        "outputs": ["y"],
    }


def problem_of(m, k, n, inputs="float16", partials=None, groups=1):
    """Return a problem whose result has the format of its inputs."""
    return MatMulProblem(groups, m, k, n, inputs, partials or inputs, inputs)


def hand_plan(problem, chip, variant, split):
    """Return the plan of `problem` with a given vertex and split."""
    machine = machine_of(chip)
    terms = estimate(machine, oriented(product_of(problem), variant), variant, split)
    unit_channels = machine.amp_weight_bytes // number_format(problem.inputs_format).bytes
    return DensePlan(problem, variant, split, terms, unit_channels, chip.tile_sram_bytes, False)


def lower_by_hand(problem, chip, variant, split):
    """Return the program of `problem` with a given vertex and split."""
    graph = build_graph(load_workload(document(problem)))
    return lower_graph(graph, {"y": hand_plan(problem, chip, variant, split)}, chip)


@dataclass(frozen=True)
class Case:
    """A matmul with a plan of the test's choice."""

    chip: Chip
    problem: MatMulProblem
    variant: Variant
    split: Split

    @property
    def plan(self) -> DensePlan:
        return hand_plan(self.problem, self.chip, self.variant, self.split)

    @property
    def program(self) -> Program:
        return lower_by_hand(self.problem, self.chip, self.variant, self.split)

    @property
    def share(self) -> Share:
        return largest_share(self.plan.product, self.variant, self.split)

    @property
    def depth(self) -> int:
        return self.split.p_inner


_CHIPS = (
    load_chip("tiny"),
    load_chip("tiny", n_tiles=24, tile_sram_bytes="1 MiB"),
    load_chip("tiny", n_tiles=64, tile_sram_bytes="1 MiB", tiles_per_exchange_bus=2, exchange_bus_sharing=True),
    load_chip(
        "tiny",
        n_tiles=64,
        tile_sram_bytes="1 MiB",
        tiles_per_exchange_bus=4,
        exchange_bus_sharing=True,
        exchange_bus_rate_factor=3,
        data_path_bytes=16,
    ),
    load_chip("bow", n_tiles=300),
)


@st.composite
def cases(draw, most=40, most_inner=100):
    """Draw a matmul of any shape with any split that the planner could have chosen."""
    chip = draw(st.sampled_from(_CHIPS))
    inputs, partials = draw(st.sampled_from(FORMATS))
    extent = st.integers(1, most)
    groups = draw(st.sampled_from((1, 1, 1, 2, 3)))
    problem = MatMulProblem(
        groups, draw(extent), draw(st.integers(1, most_inner)), draw(extent), inputs, partials, inputs
    )
    variant = draw(st.sampled_from(variants_of(problem, chip)))
    product = oriented(product_of(problem), variant)
    p_groups = draw(st.sampled_from(distinct_splits(product.groups, chip.n_tiles).tolist()))
    free = chip.n_tiles // p_groups
    inner_grains = ceil_div(product.inner, variant.inner_channels)
    p_inner, s_inner = draw(st.sampled_from(cuts(inner_grains, free).tolist()))
    free //= p_inner
    outer_grains = ceil_div(product.outer, variant.outer_channels)
    outer_cuts = [cut for cut in cuts(outer_grains, free).tolist() if s_inner == 1 or cut[1] == 1]
    p_outer, s_outer = draw(st.sampled_from(outer_cuts))
    p_rows = draw(st.sampled_from(distinct_splits(product.rows, free // p_outer).tolist()))
    broadcast = draw(st.integers(0, 1)) if s_outer > 1 else 0
    return Case(chip, problem, variant, Split(p_groups, p_rows, p_inner, p_outer, s_inner, s_outer, broadcast))


@st.composite
def even_cases(draw):
    """Draw a matmul with a split that gives every tile the same share, of operands as well as of the result."""
    chip = draw(st.sampled_from(_CHIPS))
    inputs, partials = draw(st.sampled_from(FORMATS))
    some = MatMulProblem(1, 64, draw(st.sampled_from((1, 2, 64))), 64, inputs, partials, inputs)
    variant = draw(st.sampled_from(variants_of(some, chip)))
    p_groups = draw(st.sampled_from((1, 1, 2)))
    single = variant.vertex == OUTER_PRODUCT
    p_inner = 1 if single else draw(st.integers(1, min(15, chip.n_tiles // p_groups)))
    p_outer = draw(st.integers(1, min(12, chip.n_tiles // (p_groups * p_inner))))
    p_rows = draw(st.integers(1, min(12, chip.n_tiles // (p_groups * p_inner * p_outer))))
    s_inner, s_outer = draw(st.sampled_from(((1, 1), (1, 2), (1, 5)) if single else ((1, 1), (3, 1), (1, 2), (1, 5))))
    split = Split(p_groups, p_rows, p_inner, p_outer, s_inner, s_outer, draw(st.integers(0, 1)) if s_outer > 1 else 0)
    rows = draw(st.integers(1, 6)) * p_inner * p_outer
    inner = 1 if single else draw(st.integers(1, 3)) * p_rows * variant.inner_channels
    outer = draw(st.integers(1, 3)) * (p_rows if single else 1) * variant.outer_channels
    groups = draw(st.integers(1, 2)) * p_groups
    streamed, kept = rows * p_rows, outer * p_outer * s_outer
    m, n = (kept, streamed) if variant.swapped else (streamed, kept)
    return Case(chip, MatMulProblem(groups, m, inner * p_inner * s_inner, n, inputs, partials, inputs), variant, split)
