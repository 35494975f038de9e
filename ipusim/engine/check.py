"""Check executed values: every op against its float64 reference, on the operands that it really had.

Comparing op by op finds the op at fault, and needs no bound that grows through the graph: the operands of an op are the
executed results of earlier ones, which have been checked themselves. Of large results a sample is compared.
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ipusim.engine.bounds import (
    Comparison,
    F64Array,
    Summation,
    compare_dots,
    compare_elementwise,
    compare_finished,
    compare_product,
    compare_sum,
    identical,
)
from ipusim.engine.check_conv import compare_convolution
from ipusim.engine.initial import unpacked
from ipusim.engine.op_check import OpCheck
from ipusim.engine.pooling import compare_pool
from ipusim.engine.rounding import rounded_format
from ipusim.engine.scattering import compare_scatter
from ipusim.engine.stencil import compare_stencil
from ipusim.engine.values import Values
from ipusim.formats import Format, scale_of
from ipusim.formats.scale import AUTO
from ipusim.frontends.patterns import tensor_blocks
from ipusim.ir.graph import Graph
from ipusim.ir.movement import Movement
from ipusim.ir.program import Program, Variable, VertexSet
from ipusim.ir.tensor import Op, Tensor
from ipusim.lower.convolution import ConvWork
from ipusim.ops.reduction import finished, reduced_axes
from ipusim.ops.registry import find_op
from ipusim.plan.pool import PoolPlan
from ipusim.plan.sparse_problem import SparseSums
from ipusim.plan.stencil import StencilProblem
from ipusim.sparse.blocks import blocks_to_dense

PRODUCTS = 1 << 27
"""Most multiply-adds of a matrix product that are repeated in float64."""

ELEMENTS = 1 << 18
"""Most elements of an element-wise result that are compared."""

GATHERED = 1 << 23
"""Most numbers of an operand that are gathered for sampled elements of a result."""

REDUCED = 1 << 22
"""Most elements that go into the results of a reduction that are compared."""

_MOST_GROUPS = 16
_MOST_CONV_GROUPS = 256

Index = NDArray[np.intp]


class OpChecker:
    """Compares the ops of a program as they are executed; pass :meth:`after_op` to the execution.

    Parameters
    ----------
    graph : Graph
    program : Program
        Lowered from `graph`; a tensor's storage has the tensor's name.
    seed : int
        Chooses the samples.
    stochastic : bool
        Results were rounded stochastically: to one of two neighbours, not to the nearest.
    """

    def __init__(self, graph: Graph, program: Program, seed: int = 0, stochastic: bool = False) -> None:
        self._graph = graph
        self._format = partial(rounded_format, stochastic=stochastic)
        self._stochastic = stochastic
        self._ops = {op.name: op for op in graph.ops}
        self._roots = program.roots
        computing = (step for step, _ in program.supersteps() if not step.streams)
        self._run = {name for step in computing for name in step.ops}
        self._products: dict[str, list[VertexSet]] = {}
        self._sums: dict[str, SparseSums] = {}
        self._convolutions: dict[str, ConvWork] = {}
        self._pools: dict[str, PoolPlan] = {}
        self._moved: dict[str, frozenset[str]] = {}
        self._stencils: dict[str, StencilProblem] = {}
        self._packed: dict[tuple[str, str], Variable] = {}
        self._storages = {variable.storage for variable in program.variables.values()}
        for superstep, _ in program.supersteps():
            for vertices in superstep.compute:
                op = vertices.op or superstep.op
                if "in_channels" in vertices.settings:
                    self._products.setdefault(op, []).append(vertices)
                for name in dict.fromkeys((op, *superstep.fused)):
                    self._note_payload(program, name, vertices)
        self._random = np.random.Generator(np.random.PCG64(seed))
        self.checks: list[OpCheck] = []

    def _note_payload(self, program: Program, op: str, vertices: VertexSet) -> None:
        """Note what the vertices of an op read packed, or move, and how their plan forms sums."""
        for operand in vertices.operands:
            variable = program.variables[operand.variable]
            if variable.tensor:
                self._packed[op, variable.tensor] = variable
        if isinstance(vertices.payload, Movement):
            self._moved[op] = frozenset(source.storage for source in vertices.payload.sources())
        if isinstance(vertices.payload, ConvWork):
            self._convolutions[op] = vertices.payload
        if isinstance(vertices.payload, PoolPlan):
            self._pools[op] = vertices.payload
        if isinstance(vertices.payload, StencilProblem):
            self._stencils[op] = vertices.payload
        if op not in self._sums and hasattr(vertices.payload, "sums"):
            self._sums[op] = vertices.payload.sums()

    def after_op(self, name: str, values: Values) -> None:
        """Compare the result of the op called `name`."""
        op = self._ops[name]
        inputs = tuple(self._graph.tensors[tensor] for tensor in op.inputs)
        output = self._graph.tensors[op.outputs[0]]
        result = self._array(name, output, values)
        if find_op(op.kind).family == "move":  # its operands may be gone: it reads what they were made of
            self.checks.append(OpCheck.of(name, output.n_elements, [self._compare_movement(op, result, values)]))
            return
        arrays = tuple(self._array(name, tensor, values) for tensor in inputs)
        if op.kind == "matmul_at_nonzeros":
            comparisons = self._compare_at_nonzeros(op, arrays, result, output)
        elif op.kind == "matmul":
            comparisons = self._compare_matmul(op, arrays, result, output)
        elif find_op(op.kind).family == "reduce":
            comparisons = [self._compare_reduction(op, arrays[0], result, output)]
        elif op.kind == "scatter_add":
            comparisons = [compare_scatter(op, arrays, result, output, self._format)]
        elif find_op(op.kind).exact:
            comparisons = [self._compare_exact(op, arrays, result)]
        elif name in self._convolutions:
            x, w = arrays
            comparisons = compare_convolution(
                self._convolutions[name],
                x,
                w,
                result,
                self._spread,
                _MOST_CONV_GROUPS,
                PRODUCTS,
                self._format,
                self._stochastic,
            )
        elif name in self._pools:
            comparisons = [compare_pool(self._pools[name], arrays[0], result, self._spread, ELEMENTS, self._format)]
        elif name in self._stencils:
            comparisons = [
                compare_stencil(self._stencils[name], arrays[0], result, self._spread, PRODUCTS, self._format)
            ]
        else:
            comparisons = [self._compare_elementwise(op, arrays, result)]
        self.checks.append(OpCheck.of(name, output.n_elements, comparisons))

    def _array(self, op: str, tensor: Tensor, values: Values) -> NDArray[np.float32]:
        """Return the values of an operand in the shape of the graph, zeros off a sparsity pattern.

        A pattern without a non-zero has no storage.
        """
        variable = self._packed.get((op, tensor.name))
        storage = self._roots.get(tensor.name, tensor.name)
        if variable is None and storage not in self._storages:
            return np.zeros(tensor.shape, dtype=np.float32)
        if variable is None:
            return values.flat(storage).reshape(tensor.shape)
        return unpacked(variable, values.flat(variable.storage), tensor.n_elements).reshape(tensor.shape)

    def result(self) -> dict[str, Any]:
        """Return the check as a part of the result document.

        ``max_rel_error`` and ``tolerance`` are relative to the largest reference of an op, and belong to ``worst_op``:
        the op with the largest such error, among those that failed if any did. ``checked_fraction`` is the fraction
        of all results of ops that were compared.
        """
        checks = self.checks
        moving = ("view", "move")
        computed = [op for op in self._graph.ops if op.name in self._run or find_op(op.kind).family not in moving]
        total = sum(self._graph.tensors[op.outputs[0]].n_elements for op in computed)
        passed = all(check.passed for check in checks) and len(checks) == len(computed)
        worst = max(checks, key=lambda check: (not check.passed, check.relative_error), default=None)
        return {
            "executed": True,
            "passed": passed,
            "max_abs_error": max((check.error for check in checks), default=0.0),
            "max_rel_error": 0.0 if worst is None else worst.relative_error,
            "tolerance": None if worst is None else worst.relative_tolerance,
            "checked_fraction": sum(check.n_checked for check in checks) / max(1, total),
            "worst_op": None if worst is None else worst.op,
        }

    def _compare_matmul(
        self, op: Op, arrays: tuple[NDArray[np.float32], ...], result: NDArray[np.float32], output: Tensor
    ) -> list[Comparison]:
        left, right = (
            array.swapaxes(-1, -2) if op.attrs.get(flag) else array
            for array, flag in zip(arrays, ("transpose_a", "transpose_b"), strict=True)
        )
        left, right, result = (array.reshape(-1, *array.shape[-2:]) for array in (left, right, result))
        groups, rows, cols = result.shape
        depth = left.shape[2]
        summation = self._summation(op, depth)
        if op.name in self._sums:
            order = self._sums[op.name].order
            left, right = left[:, :, order], right[:, order]
        chosen = self._spread(groups, _MOST_GROUPS)
        budget = max(1, PRODUCTS // (len(chosen) * max(1, depth)))
        n_rows = max(int(budget**0.5), budget // max(1, cols))
        comparisons = []
        for group in chosen:
            at_rows = self._spread(rows, n_rows)
            at_cols = self._spread(cols, max(1, budget // len(at_rows)))
            a = left[min(group, len(left) - 1)][at_rows].astype(np.float64)
            b = right[min(group, len(right) - 1)][:, at_cols].astype(np.float64)
            value = result[group][np.ix_(at_rows, at_cols)].astype(np.float64)
            with np.errstate(all="ignore"):
                comparisons.append(compare_product(a, b, value, summation, self._format(output.dtype)))
        return comparisons

    def _compare_at_nonzeros(
        self, op: Op, arrays: tuple[NDArray[np.float32], ...], result: NDArray[np.float32], output: Tensor
    ) -> list[Comparison]:
        """Compare a sample of the non-zeros; all other elements have to be 0, and are as often compared."""
        left, right = (
            np.moveaxis(array.swapaxes(-1, -2) if op.attrs[flag] else array, -2, 0)
            for array, flag in zip(arrays[:2], ("transpose_a", "transpose_b"), strict=True)
        )
        left, right = left.reshape(len(left), -1), right.reshape(len(right), -1)
        depth = left.shape[1]
        pattern = blocks_to_dense(replace(tensor_blocks(output, self._graph.seed), data=None)) != 0
        pattern = pattern.reshape(-1)
        kept, most = np.flatnonzero(pattern), max(1, GATHERED // max(1, depth))
        kept, zero = kept[self._spread(len(kept), most)], self._spread(len(pattern), most)
        zero = zero[~pattern[zero]]
        rows, cols = np.divmod(kept, output.shape[1])
        a, b = left[rows].astype(np.float64), right[cols].astype(np.float64)
        number, summation = self._format(output.dtype), self._summation(op, depth)
        with np.errstate(all="ignore"):
            nonzeros = compare_dots(a, b, result.reshape(-1)[kept].astype(np.float64), summation, number)
        nothing, least = np.zeros(len(zero)), np.full(len(zero), number.smallest_subnormal / 2)
        return [nonzeros, Comparison(result.reshape(-1)[zero].astype(np.float64), nothing, least)]

    def _summation(self, op: Op, depth: int) -> Summation:
        """Return how the vertices of a matmul cut its depth, and how often they round their sums."""
        sums = self._sums.get(op.name)
        partials = self._format(str(op.attrs["partials"]))
        if sums is not None:
            most = (sums.most_products, sums.most_roundings, sums.most_sources)
            return Summation(sums.bounds, 1, partials, *most, sums.ordered, self._stochastic)
        starts, groups = {0}, {depth or 1}
        for vertices in self._products.get(op.name, []):
            side = 2 if vertices.settings.get("transpose_left") else 4
            for regions in vertices.operands[0].regions.iterations():
                starts.update(np.unique(regions.box[:, side]).tolist())
            groups.add(int(str(vertices.settings["in_channels"])))
        bounds = (*sorted(start for start in starts if start < depth), depth)
        return Summation(bounds, min(groups), partials, stochastic=self._stochastic)

    def _compare_elementwise(
        self, op: Op, arrays: tuple[NDArray[np.float32], ...], result: NDArray[np.float32]
    ) -> Comparison:
        most = result.size if find_op(op.kind).positional else ELEMENTS
        chosen = self._spread(result.size, most)
        output = self._graph.tensors[op.outputs[0]]
        if output.sparsity is not None:
            pattern = blocks_to_dense(replace(tensor_blocks(output, self._graph.seed), data=None)).reshape(-1)
            kept = np.flatnonzero(pattern)
            chosen = kept[self._spread(len(kept), most)]
        at = np.unravel_index(chosen, result.shape)
        operands = tuple(np.broadcast_to(array, result.shape)[at].astype(np.float64) for array in arrays)

        def reference(*numbers: F64Array) -> F64Array:
            return find_op(op.kind).reference(numbers, op.attrs)

        with np.errstate(all="ignore"):
            return compare_elementwise(reference, operands, result[at].astype(np.float64), self._result(op, arrays))

    def _result(self, op: Op, arrays: tuple[NDArray[np.float32], ...]) -> Format:
        """Return the format of a result of an element-wise op, with the scale that it has."""
        dtype = self._graph.tensors[op.outputs[0]].dtype
        scale = op.attrs.get("scale", 1.0) if op.kind == "cast" else 1.0
        return self._format(dtype, scale=scale_of(arrays[0], dtype) if scale == AUTO else float(str(scale)))

    def _compare_movement(self, op: Op, result: NDArray[np.float32], values: Values) -> Comparison:
        """Compare every element: what is only moved is not rounded."""
        return identical(result, self._made(op, values, self._moved.get(op.name, frozenset())))

    def _compare_exact(
        self, op: Op, arrays: tuple[NDArray[np.float32], ...], result: NDArray[np.float32]
    ) -> Comparison:
        """Compare every element of a result without roundings."""
        return identical(result, find_op(op.kind).move(arrays, op.attrs))

    def _made(self, op: Op, values: Values, sources: frozenset[str]) -> NDArray[np.float32]:
        """Return what an op that moves elements makes of those in `sources`, through all such ops before it.

        Results in between may never have had a place, or something else may have it by now.
        """
        arrays = []
        for name in op.inputs:
            tensor, before = self._graph.tensors[name], self._graph.producer(name)
            waits = self._roots.get(name, name) not in sources
            made = before is not None and find_op(before.kind).family in ("view", "move") and waits
            arrays.append(
                self._made(before, values, sources) if made and before else self._array(op.name, tensor, values)
            )
        return find_op(op.kind).move(tuple(arrays), op.attrs)

    def _compare_reduction(
        self, op: Op, array: NDArray[np.float32], result: NDArray[np.float32], output: Tensor
    ) -> Comparison:
        """Compare a sample of results, each with the elements that go into it as a row."""
        spec = find_op(op.kind)
        axes = reduced_axes(array.shape, op.attrs)
        kept = tuple(axis for axis in range(array.ndim) if axis not in axes)
        turned = array.transpose(*kept, *axes)
        extents = turned.shape[: len(kept)]
        depth = array.size // max(1, result.size)
        chosen = self._spread(result.size, max(1, REDUCED // depth))
        taken = turned[np.unravel_index(chosen, extents)] if kept else turned
        rows = taken.reshape(len(chosen), -1).astype(np.float64)
        attrs = {"axes": (1,), "keepdims": False}
        value = result.reshape(-1)[chosen].astype(np.float64)
        exact = spec.function_name(op.attrs) in ("max", "min")
        if spec.finish is not None:
            terms = (rows**2 if spec.function_name(op.attrs) == "square_add" else rows) / (
                depth if spec.averages else 1
            )
            finish = partial(finished, maps=spec.finish(op.attrs))
            return compare_finished(finish, terms, value, self._format(output.dtype))
        with np.errstate(all="ignore"):
            reference = spec.reference((rows,), attrs)
            size = spec.reference((np.abs(rows),), attrs)
            return compare_sum(reference, size, 0 if exact else depth, value, self._format(output.dtype))

    def _spread(self, extent: int, most: int) -> Index:
        """Return at most `most` different places of a range: one at random in each of as many equal parts."""
        if extent <= most:
            return np.arange(extent)
        edges = np.arange(most + 1, dtype=np.int64) * extent // most
        places: Index = self._random.integers(edges[:-1], edges[1:])
        return places
