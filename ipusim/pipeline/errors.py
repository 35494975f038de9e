"""Errors of executed outputs against the same workload in float64, from inputs that no narrow format has rounded."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from math import isfinite, sqrt

import numpy as np
from numpy.typing import NDArray

from ipusim.formats import WHOLE_NUMBERS
from ipusim.frontends.patterns import tensor_blocks
from ipusim.frontends.values import tensor_values
from ipusim.ir.graph import Graph
from ipusim.ir.tensor import Tensor
from ipusim.ops.registry import find_op
from ipusim.sparse.blocks import blocks_to_dense

F64Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class OutputErrors:
    """How far outputs lie from their float64 values, over all outputs of a workload.

    Attributes
    ----------
    maximum : float or None
        Largest error, relative to the largest magnitude; None where an output is not finite.
    root_mean_square : float or None
        Root of the mean square of the errors, relative to that of the values.
    """

    maximum: float | None
    root_mean_square: float | None


def output_errors(graph: Graph, outputs: Mapping[str, NDArray[np.float32]]) -> OutputErrors:
    """Return the errors of executed outputs.

    Unlike the check of every op, which starts from executed operands, this adds up what the inputs lost in their
    formats and what all ops rounded on the way.
    """
    exact = reference_outputs(graph)
    errors = np.concatenate([(outputs[name].astype(np.float64) - exact[name]).ravel() for name in exact])
    values = np.concatenate([each.ravel() for each in exact.values()])
    largest, size = float(np.abs(values).max(initial=0.0)), float(np.square(values).sum())
    with np.errstate(over="ignore", invalid="ignore"):
        found = float(np.abs(errors).max(initial=0.0)), float(np.square(errors).sum())
    if not all(map(isfinite, found)) or not largest:
        return OutputErrors(None, None)
    return OutputErrors(found[0] / largest, sqrt(found[1] / size))


def reference_outputs(graph: Graph) -> dict[str, F64Array]:
    """Return the outputs of a graph in float64, with the zeros of its patterns of sparsity."""
    values = {name: _exact_input(graph.tensors[name], graph.seed) for name in graph.inputs}
    with np.errstate(all="ignore"):
        for op in graph.ops:
            result = find_op(op.kind).reference(tuple(values[name] for name in op.inputs), op.attrs)
            values[op.outputs[0]] = result.reshape(graph.tensors[op.outputs[0]].shape)
    return {name: values[name] for name in graph.outputs}


def _exact_input(tensor: Tensor, seed: int) -> F64Array:
    """Return the values of an input before its number format rounds them."""
    if tensor.dtype == WHOLE_NUMBERS:
        return tensor_values(tensor, seed).astype(np.float64)
    values = tensor_values(replace(tensor, dtype="float32", scale=1.0), seed).astype(np.float64)
    if tensor.sparsity is not None:
        values *= blocks_to_dense(replace(tensor_blocks(tensor, seed), data=None)) != 0
    return values
