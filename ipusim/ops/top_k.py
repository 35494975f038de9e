"""The largest elements of every row, or where they are."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ipusim.ir.tensor import Tensor
from ipusim.ops.reduction import axis_of
from ipusim.ops.spec import Attrs, Choice, F64Array, Flag, OpSpec, ShapeError, TensorType, Whole, computed_format, shown


def _infer(inputs: tuple[Tensor, ...], attrs: Attrs) -> TensorType:
    (x,), k = inputs, int(str(attrs["k"]))
    axis = axis_of(x, attrs)
    if k > x.shape[axis]:
        raise ShapeError(f"axis {axis} of {shown(x)} has fewer than {k} elements", attribute="k")
    dtype = "int32" if attrs["result"] == "indices" else computed_format(x.dtype)
    return TensorType((*x.shape[:axis], k, *x.shape[axis + 1 :]), dtype)


def _flops(inputs: tuple[Tensor, ...], _outputs: tuple[Tensor, ...], _attrs: Attrs, _n: tuple[int, ...]) -> int:
    """One comparison for each element."""
    return inputs[0].n_elements


def ranked(x: NDArray[np.floating[Any]], k: int, axis: int, smallest: bool) -> NDArray[np.intp]:
    """Return the places of the `k` largest, or smallest, elements along an axis, in order; of equal ones the first."""
    order = np.argsort(x if smallest else -x, axis=axis, kind="stable")
    return np.take(order, np.arange(k), axis=axis)


def _reference(arrays: tuple[F64Array, ...], attrs: Attrs) -> F64Array:
    (x,), axis = arrays, int(str(attrs["axis"]))
    found = ranked(x, int(str(attrs["k"])), axis, bool(attrs["smallest"]))
    if attrs["result"] == "indices":
        return found.astype(np.float64)
    return np.take_along_axis(x, found, axis=axis)


OP = OpSpec(
    name="top_k",
    summary="The k largest elements along an axis in falling order, or their indices; of equal ones the first is first",
    inputs=("x",),
    infer=_infer,
    flops=_flops,
    reference=_reference,
    attributes=(
        Whole("k", "How many", None, 1),
        Whole("axis", "Axis along which elements are compared", -1),
        Flag("smallest", "The smallest ones, in rising order"),
        Choice("result", "What the result holds", ("values", "indices"), "values"),
    ),
    exact=True,
)
