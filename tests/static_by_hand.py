"""Static sparse matmuls whose pattern, split and layout the test chooses, and awkward patterns for them."""

from dataclasses import dataclass, replace

import numpy as np
from hypothesis import strategies as st

from ipusim.chip.model import Chip
from ipusim.frontends.build import build_graph
from ipusim.frontends.workload import load_workload
from ipusim.ir.graph import Graph
from ipusim.ir.program import Program
from ipusim.lower.lowering import lower_graph
from ipusim.plan.sparse_problem import sparse_problem
from ipusim.plan.static_plan import StaticSparsePlan, static_plan
from ipusim.plan.static_search import plan_static
from ipusim.sparse.blocks import Blocks, blocks_from_flat, blocks_to_dense

KINDS = ("random", "row", "col", "one", "none", "all", "diagonal", "corner", "last row")


@dataclass(frozen=True)
class Layout:
    """How the operands of a product are stored."""

    on_left: bool = True
    transpose_a: bool = False
    transpose_b: bool = False
    batch: tuple[int, ...] = ()


@dataclass(frozen=True)
class Case:
    """A static sparse matmul ``y = w x`` (or ``x w``) with a plan of the test's choice."""

    graph: Graph
    plan: StaticSparsePlan
    program: Program
    chip: Chip

    @property
    def pattern(self) -> np.ndarray:
        """Ones where the stored tensor `w` has a non-zero."""
        ones = blocks_to_dense(self.plan.problem.blocks)
        return ones.T.copy() if self.plan.problem.weight_transposed else ones

    def values(self, draw) -> dict[str, np.ndarray]:
        """Return values of both operands, each from ``draw(shape)``, zeros off the pattern."""
        values = {name: np.asarray(draw(self.graph.tensors[name].shape), np.float32) for name in ("w", "x")}
        values["w"] = values["w"] * self.pattern
        return values

    def operands(self, values: dict[str, np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
        """Return the left and the right operand in float64 as the product sees them."""
        op = self.graph.ops[0]
        flags = (op.attrs["transpose_a"], op.attrs["transpose_b"])
        left, right = (
            values[name].astype(np.float64).swapaxes(-1, -2) if flag else values[name].astype(np.float64)
            for name, flag in zip(op.inputs, flags, strict=True)
        )
        return left, right


def document(shape, n, block_size, dtype, partials, layout=Layout()):
    """Return a workload with one product of a sparse ``W[m, k]`` and a dense operand with `n` columns in each batch."""
    m, k = shape
    stored_w = layout.transpose_a if layout.on_left else not layout.transpose_b
    stored_x = layout.transpose_b if layout.on_left else not layout.transpose_a
    w = [k, m] if stored_w else [m, k]
    x = [*layout.batch, *([n, k] if stored_x else [k, n])]
    op = {
        "op": "matmul",
        "name": "y",
        "inputs": ["w", "x"] if layout.on_left else ["x", "w"],
        "output": "y",
        "partials": partials,
        "transpose_a": layout.transpose_a,
        "transpose_b": layout.transpose_b,
    }
    sparsity = {"density": 1, "block_size": block_size, "mode": "static", "pattern": "random"}
    return {
        "name": "by hand",
        "dtype": dtype,
        "tensors": {"w": {"shape": w, "sparsity": sparsity}, "x": {"shape": x}},
        "ops": [op],
        "outputs": ["y"],
    }


def static_case(blocks, n, chip, dtype="float16", partials=None, layout=Layout(), n_splits=0, n_bands=0):
    """Return the product of the pattern `blocks` with a dense operand, lowered with a given split.

    Parameters
    ----------
    blocks : Blocks
        Pattern of ``W[m, k]`` as the product sees it, whatever the `layout`.
    n_splits, n_bands : int
        0 lets the search choose.
    """
    described = document(blocks.shape, n, blocks.block_size, dtype, partials or dtype, layout)
    graph = build_graph(load_workload(described))
    problem = replace(sparse_problem(graph, graph.ops[0]), blocks=blocks)
    split = plan_static(
        blocks, problem.n, dtype, chip, 1e6, n_splits=n_splits, n_bands=n_bands, partials=partials or dtype
    )
    assert split is not None
    plan = static_plan(problem, split, chip, chip.tile_sram_bytes)
    return Case(graph, plan, lower_graph(graph, {"y": plan}, chip), chip)


def pattern(kind, rows, cols, block_size, seed=0, count=None) -> Blocks:
    """Return a pattern of `rows` by `cols` blocks of one of the :data:`KINDS`."""
    grid = np.zeros((rows, cols), bool)
    if kind == "random":
        count = rows * cols // 3 if count is None else count
        grid.ravel()[np.random.default_rng(seed).permutation(rows * cols)[:count]] = True
    elif kind == "row":
        grid[seed % rows] = True
    elif kind == "last row":
        grid[-1, seed % cols :] = True
    elif kind == "col":
        grid[:, seed % cols] = True
    elif kind == "one":
        grid[seed % rows, seed % cols] = True
    elif kind == "all":
        grid[:] = True
    elif kind == "diagonal":
        grid[np.arange(min(rows, cols)), np.arange(min(rows, cols))] = True
    elif kind == "corner":
        grid[: (rows + 1) // 2, : (cols + 1) // 2] = True
    else:
        assert kind == "none"
    return blocks_from_flat((rows * block_size, cols * block_size), block_size, np.flatnonzero(grid))


def integers(seed):
    """Return a source of small integers, whose sums of a few hundred products are exact in float16."""
    random = np.random.default_rng(seed)
    return lambda shape: random.integers(-2, 3, shape)


def halves(seed):
    """Return a source of normal numbers on the grid of float16."""
    random = np.random.default_rng(seed)
    return lambda shape: random.standard_normal(shape).astype(np.float16)


@st.composite
def patterns(draw: st.DrawFn, most=20) -> Blocks:
    """Draw patterns: random ones of any density, and the awkward ones."""
    rows, cols = draw(st.integers(1, most)), draw(st.integers(1, most))
    block_size = draw(st.sampled_from([1, 4, 8, 16]))
    count = draw(st.integers(0, rows * cols))
    return pattern(draw(st.sampled_from(KINDS)), rows, cols, block_size, draw(st.integers(0, 2**16)), count)


layouts = st.builds(Layout, st.booleans(), st.booleans(), st.booleans(), st.sampled_from([(), (), (3,)]))
