"""Gradients of the pooling operators: from windows back to the elements that they were formed of."""

from __future__ import annotations

from itertools import product

from ipusim.ir.tensor import Tensor
from ipusim.ops.gradient import Backward
from ipusim.ops.window import Window
from ipusim.ops.window_gradient import spread_gradient

LEAST = -65504.0
"""Padding of maximum pooling: no number of any format is smaller, but for the largest ones of wide formats."""


def mean_gradient(call: Backward, pooling: str, window: Window) -> str:
    """Return the gradient of a mean: means of the spread gradient over windows that end at an element.

    Parameters
    ----------
    call : Backward
    pooling : str
        The op itself.
    window : Window
    """
    (x,) = call.inputs
    if any((*window.before, *window.after)) and not call.attrs["include_padding"]:
        share = call.add("div", call.upstream, _inside(call, pooling, window))
        call = Backward(call.graph, call.inputs, call.output, share, call.attrs, call.wanted)
    before, after = [0, 0], [0, 0]
    for axis, extent in enumerate(x.shape[2:]):
        length = (call.output.shape[2 + axis] - 1) * window.stride[axis] + 1
        before.append(window.kernel[axis] - 1)
        after.append(extent - 1 + window.kernel[axis] + window.before[axis] - length - before[-1])
    padded = call.add("pad", spread_gradient(call, window), before=tuple(before), after=tuple(after))
    means = call.add(pooling, padded, kernel=window.kernel, stride=1)
    for axis, low in enumerate(window.before, start=2):
        if low:
            means = call.add("slice", means, axis=axis, start=low)
    return means


def _inside(call: Backward, pooling: str, window: Window) -> str:
    """Return which share of each window is no padding."""
    (x,) = call.inputs
    ones = call.graph.constant("ones", (1, 1, *x.shape[2:]), x.dtype)
    sides = (*window.before, *window.after)
    return call.add(pooling, ones, kernel=window.kernel, stride=window.stride, padding=sides, include_padding=True)


def largest_gradient(call: Backward, window: Window) -> str:
    """Return the gradient of a largest element; equal ones of a window have equal shares of it.

    Windows that lie side by side are dimensions of their own. Others are taken element by element of the kernel, each
    with one comparison, and its part of the gradient is put back where it came from.
    """
    (x,) = call.inputs
    beside = window.kernel == window.stride and not any((*window.before, *window.after))
    return _side_by_side(call, x, window) if beside else _overlapping(call, x, window)


def _side_by_side(call: Backward, x: Tensor, window: Window) -> str:
    name = x.name
    split, single, rest = list(x.shape[:2]), list(x.shape[:2]), [0, 0]
    for axis, (count, extent) in enumerate(zip(call.output.shape[2:], window.kernel, strict=True), start=2):
        split += [count, extent]
        single += [count, 1]
        rest.append(x.shape[axis] - count * extent)
        if rest[-1]:
            name = call.add("slice", name, axis=axis, end=count * extent)
    elements = call.add("reshape", name, shape=tuple(split))
    found = call.add("equal", elements, call.add("reshape", call.output.name, shape=tuple(single)))
    total = call.add("sum", found, axes=tuple(range(3, len(split), 2)), keepdims=True)
    share = call.add("div", call.add("reshape", call.upstream, shape=tuple(single)), total)
    covered = tuple(extent - more for extent, more in zip(x.shape, rest, strict=True))
    gradient = call.add("reshape", call.add("mul", found, share), shape=covered)
    return call.add("pad", gradient, after=tuple(rest)) if any(rest) else gradient


def _overlapping(call: Backward, x: Tensor, window: Window) -> str:
    low, high = (0, 0, *window.before), (0, 0, *window.after)
    padded = call.add("pad", x.name, before=low, after=high, value=LEAST) if any((*low, *high)) else x.name
    extents = [extent + first + last for extent, first, last in zip(x.shape, low, high, strict=True)]
    counts, places = call.output.shape[2:], list(product(*(range(extent) for extent in window.kernel)))
    found = []
    for place in places:
        name = padded
        for axis, (at, stride, count) in enumerate(zip(place, window.stride, counts, strict=True), start=2):
            name = call.add("slice", name, axis=axis, start=at, end=at + (count - 1) * stride + 1, step=stride)
        found.append(call.add("equal", name, call.output.name))
    total = found[0]
    for name in found[1:]:
        total = call.add("add", total, name)
    share = call.add("div", call.upstream, total)
    gradient = ""
    for place, each in zip(places, found, strict=True):
        own = Backward(call.graph, call.inputs, call.output, call.add("mul", each, share), call.attrs, call.wanted)
        spread = spread_gradient(own, window)
        lengths = [(count - 1) * stride + 1 for count, stride in zip(counts, window.stride, strict=True)]
        after = (extent - at - length for extent, at, length in zip(extents[2:], place, lengths, strict=True))
        part = call.add("pad", spread, before=(0, 0, *place), after=(0, 0, *after))
        gradient = call.add("add", gradient, part) if gradient else part
    for axis, first in enumerate(window.before, start=2):
        if extents[axis] != x.shape[axis]:
            gradient = call.add("slice", gradient, axis=axis, start=first, end=first + x.shape[axis])
    return gradient
