"""Computes the nodes whose operands are constants, as exported models have them around every change of shape."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ipusim.frontends.models.onnx.problems import NodeError
from ipusim.frontends.models.onnx.reading import first_line

if TYPE_CHECKING:
    from onnx import NodeProto

MAX_ELEMENTS = 2**27
"""Most elements of a result that is computed here: more is a mistake, or an attempt to exhaust the memory."""

_RANDOM = ("RandomNormal", "RandomUniform", "RandomNormalLike", "RandomUniformLike", "Bernoulli", "Multinomial")

Array = NDArray[Any]


def can_fold(op: str) -> bool:
    """Return whether the results of an operator depend on its operands only."""
    return op not in _RANDOM


def fold(
    node: NodeProto, version: int, operands: Sequence[Array | None], shapes: Sequence[tuple[int, ...]]
) -> list[Array]:
    """Return the results of a node.

    Parameters
    ----------
    node : NodeProto
    version : int
        Version of ONNX's operators.
    operands : sequence of array or None
        None where one is left out.
    shapes : sequence of tuple of int
        What shape inference says of the results.

    Raises
    ------
    NodeError
        The results are too large, or cannot be computed.
    """
    from onnx.reference import ReferenceEvaluator

    if any(prod(shape) > MAX_ELEMENTS for shape in shapes):
        raise NodeError(f"its constant result {list(shapes[0])} is too large")
    feeds = {name: each for name, each in zip(node.input, operands, strict=True) if name}
    try:
        with np.errstate(all="ignore"):
            results: Any = ReferenceEvaluator(node, opsets={"": version}).run(None, feeds)
    except Exception as error:  # every operator of the evaluator has its own
        raise NodeError(f"its constant operands do not go together: {first_line(error)}") from None
    return [np.asarray(each) for each in results]


def shape_of(node: NodeProto, shape: tuple[int, ...]) -> Array:
    """Return the result of a Shape or Size node for an operand of this shape."""
    if node.op_type == "Size":
        return np.asarray(prod(shape), np.int64)
    bounds = {attribute.name: attribute.i for attribute in node.attribute}
    return np.asarray(shape[bounds.get("start", 0) : bounds.get("end", len(shape))], np.int64)
