"""Gradients of sparse weights whose pattern, partition and layout the test chooses."""

from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Any

import numpy as np

from ipusim.chip.model import Chip
from ipusim.engine.execution import execute_program
from ipusim.engine.initial import unpacked
from ipusim.frontends.build import build_graph
from ipusim.frontends.workload import load_workload
from ipusim.ir.graph import Graph
from ipusim.ir.program import Program
from ipusim.lower.lowering import lower_graph
from ipusim.plan.dynamic_gradient import DynamicGradientPlan
from ipusim.plan.dynamic_placing import place
from ipusim.plan.dynamic_plan import plan_dynamic
from ipusim.plan.dynamic_problem import DynamicOptions
from ipusim.plan.gradient_problem import gradient_problem
from ipusim.plan.sparse_problem import SparseProblem
from ipusim.plan.static_gradient import gradient_on
from ipusim.plan.static_plan import static_plan
from ipusim.plan.static_search import plan_static
from ipusim.sparse.blocks import blocks_to_dense, device_block_size, reblock, transpose_blocks


@dataclass(frozen=True)
class Stored:
    """How the dense operands are stored."""

    transpose_a: bool = False
    transpose_b: bool = False
    batch: tuple[int, ...] = ()


PLAIN = Stored()


@dataclass(frozen=True)
class Case:
    """A gradient ``dw = dy x'`` at the non-zeros of `w`, with a plan of the test's choice."""

    graph: Graph
    plan: Any
    program: Program
    chip: Chip

    @property
    def pattern(self) -> np.ndarray:
        """Ones where `w` has a non-zero."""
        return blocks_to_dense(replace(self.plan.problem.blocks, data=None))

    def values(self, draw) -> dict[str, np.ndarray]:
        """Return values of the operands, each from ``draw(shape)``; the weight has ones."""
        values = {name: np.asarray(draw(self.graph.tensors[name].shape), np.float32) for name in ("dy", "x")}
        return {**values, "w": self.pattern}

    def expected(self, values) -> np.ndarray:
        """Return the gradient in float64."""
        op = self.graph.ops[0]
        dy, x = values["dy"].astype(np.float64), values["x"].astype(np.float64)
        left = dy.swapaxes(-1, -2) if op.attrs["transpose_a"] else dy
        right = x if op.attrs["transpose_b"] else x.swapaxes(-1, -2)
        return (left @ right).reshape(-1, *self.pattern.shape).sum(axis=0) * (self.pattern != 0)

    def run(self, values, threads=2, verify=False, after_op=None) -> np.ndarray:
        """Return the executed gradient as a matrix."""
        found = execute_program(self.program, values, threads=threads, verify=verify, after_op=after_op)["dw"]
        variable = self.program.variables[self.program.outputs["dw"]]
        return unpacked(variable, found, self.pattern.size).reshape(self.pattern.shape)


def document(shape, n, block_size, dtype, partials, stored=PLAIN, mode="dynamic"):
    """Return a workload with the gradient of a ``W[m, k]`` from operands with `n` columns in each batch."""
    m, k = shape
    sparsity = {"density": 1, "block_size": block_size, "mode": mode}
    return {
        "name": "by hand",
        "dtype": dtype,
        "tensors": {
            "w": {"shape": [m, k], "sparsity": sparsity},
            "dy": {"shape": [*stored.batch, *([n, m] if stored.transpose_a else [m, n])]},
            "x": {"shape": [*stored.batch, *([n, k] if stored.transpose_b else [k, n])]},
        },
        "ops": [
            {
                "op": "matmul_at_nonzeros",
                "inputs": ["dy", "x", "w"],
                "output": "dw",
                "partials": partials,
                "transpose_a": stored.transpose_a,
                "transpose_b": stored.transpose_b,
            }
        ],
        "outputs": ["dw"],
    }


def dynamic_gradient_case(
    blocks,
    n,
    chip,
    dtype="float16",
    partials=None,
    stored=PLAIN,
    partition=(0, 0, 0),
    oversize=0.3,
    turned=False,
    buckets=None,
):
    """Return the gradient at the non-zeros of `blocks`, lowered with a given partition.

    Parameters
    ----------
    partition : tuple of int
        Of what is laid out; 0 lets the search choose, and so does a partition that the search would not try.
    turned : bool
        The transpose of the weight is what is laid out.
    buckets : bool or None
        Whether buckets travel rather than operands; None lets the search choose.
    """
    graph = build_graph(load_workload(document(blocks.shape, n, blocks.block_size, dtype, partials or dtype, stored)))
    blocks = reblock(blocks, device_block_size(blocks.block_size, "dynamic", dtype))
    problem = replace(gradient_problem(graph, graph.ops[0]), blocks=blocks)
    m, k = (problem.k, problem.m) if turned else (problem.m, problem.k)
    density = Fraction(max(1, blocks.n_values), m * k)
    halves = (partials or dtype) == dtype == "float16" and blocks.block_size > 1
    options = DynamicOptions(
        oversize=oversize,
        partials="float16" if halves else "float32",
        grad_w=True,
        partition=partition,
        exchange_buckets=buckets,
    )
    free = replace(options, partition=(0, 0, 0))
    found = plan_dynamic(m, k, problem.n, blocks.block_size, density, dtype, chip, options)
    found = found or plan_dynamic(m, k, problem.n, blocks.block_size, density, dtype, chip, free)
    plan = DynamicGradientPlan(problem, place(problem, found, turned), turned)
    return Case(graph, plan, lower_graph(graph, {"dw": plan}, chip), chip)


def static_gradient_case(
    blocks,
    n,
    chip,
    dtype="float16",
    partials=None,
    stored=PLAIN,
    n_splits=0,
    n_bands=0,
    turned=False,
    bound_bytes=1 << 40,
    may_relax=True,
):
    """Return the gradient at the non-zeros of `blocks` where a forward product with a given split has them.

    Parameters
    ----------
    n_splits, n_bands : int
        0 lets the search choose.
    turned : bool
        The forward product is one with the transpose of the weight.
    bound_bytes, may_relax
        Of the gradient's temporary memory.
    """
    described = document(blocks.shape, n, blocks.block_size, dtype, partials or dtype, stored, "static")
    graph = build_graph(load_workload(described))
    problem = replace(gradient_problem(graph, graph.ops[0]), blocks=blocks)
    m, k = (problem.k, problem.m) if turned else (problem.m, problem.k)
    laid_out = transpose_blocks(blocks) if turned else blocks
    formats = (problem.dtype, problem.partials_format)
    forward = SparseProblem("w", "x", "y", m, k, problem.n, laid_out, problem.sparsity, *formats, turned, False, False)
    split = plan_static(
        laid_out, problem.n, dtype, chip, 1e6, n_splits=n_splits, n_bands=n_bands, partials=partials or dtype
    )
    placed = static_plan(forward, split, chip, chip.tile_sram_bytes)
    plan = gradient_on(problem, placed, chip, bound_bytes, may_relax)
    return Case(graph, plan, lower_graph(graph, {"dw": plan}, chip), chip)
