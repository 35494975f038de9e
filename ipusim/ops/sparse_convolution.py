"""Convolutions with sparse weights: one sparse product with the input unfolded.

The weights are a matrix with a row for each output channel and a column for each input channel at each element of the
kernel; a block of channels is there at all elements of the kernel or at none.
"""

from __future__ import annotations

from itertools import product
from math import prod

from ipusim.ir.tensor import Tensor
from ipusim.ops.spec import Attrs, Expansion
from ipusim.ops.window import Window, slid_extents, window_of


def is_sparse_convolution(inputs: tuple[Tensor, ...]) -> bool:
    """Return whether the weights, the second operand, are sparse."""
    return inputs[1].sparsity is not None


def expand_sparse_convolution(graph: Expansion, inputs: tuple[Tensor, ...], attrs: Attrs) -> None:
    """Add the input unfolded, its product with the weights as a matrix, and the result in its shape."""
    x, w = inputs
    assert w.sparsity is not None
    window = window_of(attrs, w.sparsity.kernel or w.shape[2:])
    extents = slid_extents(window, x.shape[2:], "the kernel")
    columns = _unfolded(graph, x, window, extents)
    batch, fields = x.shape[0], tuple(range(2, len(x.shape)))
    if batch > 1:
        columns = graph.add("transpose", columns, axes=(1, 0, *fields))
    depth = prod(window.kernel) * x.shape[1]
    flat = graph.add("reshape", columns, shape=(depth, batch * prod(extents)))
    result = graph.add("matmul", graph.as_matrix(w.name), flat, partials=attrs["partials"])
    if batch > 1:
        apart = graph.add("reshape", result, shape=(w.shape[0], batch, *extents))
        graph.add("transpose", apart, axes=(1, 0, *fields))
    else:
        graph.add("reshape", result, shape=(1, w.shape[0], *extents))


def _unfolded(graph: Expansion, x: Tensor, window: Window, extents: tuple[int, ...]) -> str:
    """Add what each element of the kernel meets, one behind the other as channels, and return its name."""
    source = x.name
    if any((*window.before, *window.after)):
        source = graph.add("pad", source, before=(0, 0, *window.before), after=(0, 0, *window.after))
    if prod(window.kernel) == 1 and prod(window.stride) == 1:
        return source
    parts = []
    axes = tuple(range(2, len(x.shape)))
    for place in product(*(range(extent) for extent in window.kernel)):
        start = tuple(at * dilation for at, dilation in zip(place, window.dilation, strict=True))
        last = zip(start, extents, window.stride, strict=True)
        end = tuple(first + (count - 1) * stride + 1 for first, count, stride in last)
        parts.append(graph.add("slice", source, axis=axes, start=start, end=end, step=window.stride))
    return parts[0] if len(parts) == 1 else graph.add("concat", *parts, axis=1)
