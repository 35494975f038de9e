"""Dynamic sparse matmuls whose pattern and partition the test chooses."""

from dataclasses import dataclass, replace
from fractions import Fraction

import numpy as np
from static_by_hand import Layout, document

from ipusim.chip.model import Chip
from ipusim.frontends.build import build_graph
from ipusim.frontends.workload import load_workload
from ipusim.ir.graph import Graph
from ipusim.ir.program import Program
from ipusim.lower.lowering import lower_graph
from ipusim.plan.dynamic_placing import place
from ipusim.plan.dynamic_plan import plan_dynamic
from ipusim.plan.dynamic_problem import DynamicOptions
from ipusim.plan.dynamic_sparse import DynamicSparsePlan
from ipusim.plan.dynamic_update import pattern_update
from ipusim.plan.sparse_problem import sparse_problem
from ipusim.sparse.blocks import blocks_to_dense, device_block_size, reblock

PLAIN = Layout()


@dataclass(frozen=True)
class Case:
    """A dynamic sparse matmul ``y = w x`` (or ``x w``) with a plan of the test's choice."""

    graph: Graph
    plan: DynamicSparsePlan
    program: Program
    chip: Chip

    @property
    def pattern(self) -> np.ndarray:
        """Ones where the stored tensor `w` has a non-zero."""
        ones = blocks_to_dense(replace(self.plan.problem.blocks, data=None))
        return ones.T.copy() if self.plan.problem.weight_transposed else ones

    def values(self, draw) -> dict[str, np.ndarray]:
        """Return values of both operands, each from ``draw(shape)``, zeros off the pattern."""
        values = {name: np.asarray(draw(self.graph.tensors[name].shape), np.float32) for name in ("w", "x")}
        values["w"] = values["w"] * self.pattern
        return values

    def operands(self, values) -> tuple[np.ndarray, np.ndarray]:
        """Return the left and the right operand in float64 as the product sees them."""
        op = self.graph.ops[0]
        left, right = (
            values[name].astype(np.float64).swapaxes(-1, -2) if op.attrs[flag] else values[name].astype(np.float64)
            for name, flag in zip(op.inputs, ("transpose_a", "transpose_b"), strict=True)
        )
        return left, right


def dynamic_document(shape, n, block_size, dtype="float16", partials=None, layout=PLAIN, **sparsity):
    """Return a workload with one product of a dynamic ``W[m, k]``."""
    described = document(shape, n, block_size, dtype, partials or dtype, layout)
    described["tensors"]["w"]["sparsity"] |= {"mode": "dynamic", **sparsity}
    return described


def dynamic_case(
    blocks,
    n,
    chip,
    dtype="float16",
    partials=None,
    layout=PLAIN,
    partition=(0, 0, 0),
    oversize=0.3,
    transposed=False,
    spare=1,
):
    """Return the product of the pattern `blocks` with a dense operand, lowered with a given partition.

    Parameters
    ----------
    blocks : Blocks
        Pattern of ``W[m, k]`` as the product sees it, whatever the `layout`.
    partition : tuple of int
        Of the pass that is laid out; 0 lets the search choose, and so does a partition that the search would not try.
    transposed : bool
        The product is the transposed pass of what is laid out.
    spare : int
        The declared maximum of non-zeros over their number.
    """
    described = dynamic_document(blocks.shape, n, blocks.block_size, dtype, partials, layout)
    graph = build_graph(load_workload(described))
    blocks = reblock(blocks, device_block_size(blocks.block_size, "dynamic", dtype))
    problem = replace(sparse_problem(graph, graph.ops[0]), blocks=blocks)
    m, k = (problem.k, problem.m) if transposed else (problem.m, problem.k)
    elements = m * k
    density = Fraction(min(elements, max(1, spare * blocks.n_values)), elements)
    halves = (partials or dtype) == dtype == "float16" and blocks.block_size > 1
    options = DynamicOptions(oversize=oversize, partials="float16" if halves else "float32", partition=partition)
    found = plan_dynamic(m, k, problem.n, blocks.block_size, density, dtype, chip, options)
    if found is None:
        found = plan_dynamic(
            m, k, problem.n, blocks.block_size, density, dtype, chip, replace(options, partition=(0, 0, 0))
        )
    placement = place(problem, found, transposed)
    plan = DynamicSparsePlan(problem, placement, transposed, pattern_update(placement, chip))
    return Case(graph, plan, lower_graph(graph, {"y": plan}, chip), chip)
