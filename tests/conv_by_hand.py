"""Convolutions whose plan the test chooses, rather than the planner, and random ones of them."""

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
from ipusim.plan.conv import ConvPlan, conv_of, conv_variants
from ipusim.plan.conv_estimate import ConvSplit, ConvVariant, estimate
from ipusim.plan.conv_problem import ConvProblem, conv_problem
from ipusim.plan.dense import machine_of
from ipusim.plan.dense_search import distinct_splits

FORMATS = (("float16", "float16"), ("float16", "float32"), ("float32", "float32"))

CHIPS = (
    load_chip("tiny", tile_sram_bytes="1 MiB"),
    load_chip("tiny", n_tiles=24, tile_sram_bytes="1 MiB", tiles_per_exchange_bus=2, exchange_bus_sharing=True),
    load_chip("bow", n_tiles=96),
)


def document(x, w, dtype="float16", name="handmade", **attributes):
    """Return a workload with one convolution, ``y = conv(x, w)``."""
    op = {"op": f"conv{len(x) - 2}d", "name": "y", "inputs": ["x", "w"], "output": "y"}
    return {
        "name": name,
        "dtype": dtype,
        "tensors": {"x": {"shape": list(x)}, "w": {"shape": list(w)}},
        "ops": [op | attributes],
        "outputs": ["y"],
    }


def graph_of(workload):
    """Return the graph of a workload and the problem of its convolution."""
    graph = build_graph(load_workload(workload))
    return graph, conv_problem(graph, graph.ops[0])


def hand_plan(problem, chip, variant, split):
    """Return the plan of `problem` with a given vertex and split."""
    machine = machine_of(chip)
    terms = estimate(machine, conv_of(problem), variant, split)
    unit_channels = machine.amp_weight_bytes // number_format(problem.inputs_format).bytes
    return ConvPlan(problem, variant, split, terms, unit_channels, chip.tile_sram_bytes, False)


@dataclass(frozen=True)
class Case:
    """A convolution with a plan of the test's choice."""

    chip: Chip
    workload: dict
    problem: ConvProblem
    variant: ConvVariant
    split: ConvSplit

    @property
    def plan(self) -> ConvPlan:
        return hand_plan(self.problem, self.chip, self.variant, self.split)

    @property
    def program(self) -> Program:
        graph, _ = graph_of(self.workload)
        return lower_graph(graph, {"y": self.plan}, self.chip)


@st.composite
def convolutions(draw):
    """Draw a workload with a convolution of any stride, padding, dilation and number of groups."""
    rank = draw(st.sampled_from((1, 2, 2)))
    per_axis = st.tuples(*[st.integers(1, 3)] * rank)
    kernel, stride, dilation = (
        draw(st.one_of(st.just((1,) * rank), per_axis)) if plain else draw(per_axis) for plain in (False, True, True)
    )
    padding = draw(st.one_of(st.just((0,) * 2 * rank), st.tuples(*[st.integers(0, 3)] * 2 * rank)))
    groups, depthwise = draw(st.sampled_from(((1, False), (1, False), (2, False), (3, False), (5, True), (17, True))))
    into, out = (groups,) * 2 if depthwise else (groups * draw(st.integers(1, 9)), groups * draw(st.integers(1, 9)))
    least = [
        max(1, (k - 1) * d + 1 - low - high)
        for k, d, low, high in zip(kernel, dilation, padding[:rank], padding[rank:], strict=True)
    ]
    field = [draw(st.integers(extent, extent + 8)) for extent in least]
    inputs, partials = draw(st.sampled_from(FORMATS))
    return document(
        (draw(st.integers(1, 3)), into, *field),
        (out, into // groups, *kernel),
        inputs,
        stride=list(stride),
        dilation=list(dilation),
        padding=list(padding),
        groups=groups,
        partials=partials,
    )


@st.composite
def cases(draw):
    """Draw a convolution with any split that the planner could have chosen."""
    chip = draw(st.sampled_from(CHIPS))
    workload = draw(convolutions())
    _, problem = graph_of(workload)
    variant = draw(st.sampled_from(conv_variants(problem, chip)))
    free = chip.n_tiles

    def parts(extent):
        nonlocal free
        found = draw(st.sampled_from(distinct_splits(extent, free).tolist()))
        free //= found
        return found

    p_groups = parts(ceil_div(problem.groups, variant.side))
    mixed = p_groups == problem.groups
    p_in = parts(ceil_div(problem.in_channels, variant.in_channels)) if mixed else 1
    p_out = parts(ceil_div(problem.out_channels, variant.out_channels)) if mixed else 1
    p_kernel = parts(problem.kernel[0])
    p_h = parts(problem.field_out[0])
    p_batch = parts(problem.batch)
    boxed = problem.batch == p_batch or ceil_div(problem.field_out[0], p_h) == 1
    p_w = parts(problem.field_out[1]) if boxed else 1
    split = ConvSplit(p_batch, p_groups, p_h, p_w, p_kernel, p_in, p_out)
    return Case(chip, workload, problem, variant, split)
