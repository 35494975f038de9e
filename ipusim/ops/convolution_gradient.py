"""Gradients of convolutions, which are convolutions: of the gradient with the kernel, of the input with the gradient.

With the gradient of the result ``g`` (steps between its elements filled up with zeros where the windows have a stride):
the input's is the correlation of ``g``, padded all around, with the kernel turned round and its channels swapped; the
kernel's is the correlation of the input with ``g`` as the kernel, where batch and channels change places, stride and
dilation too.
"""

from __future__ import annotations

from ipusim.ops.gradient import Backward, Gradients
from ipusim.ops.window import Window, window_of
from ipusim.ops.window_gradient import spread_gradient


def convolution_gradient(call: Backward) -> Gradients:
    """Return the gradients of input and kernel of a dense convolution."""
    kernel = call.inputs[1]
    window = window_of(call.attrs, kernel.shape[2:])
    return (
        _of_input(call, window) if call.wanted[0] else None,
        _of_kernel(call, window) if call.wanted[1] else None,
    )


def _of_input(call: Backward, window: Window) -> str:
    x, w = call.inputs
    rank = len(window.kernel)
    groups = int(str(call.attrs["groups"]))
    spread = spread_gradient(call, window)
    turned = call.add("slice", w.name, axis=tuple(range(2, rank + 2)), start=-1, step=-1)
    before, after = [], []
    for axis, extent in enumerate(x.shape[2:]):
        length = (call.output.shape[2 + axis] - 1) * window.stride[axis] + 1
        low = window.reach(axis) - 1 - window.before[axis]
        before.append(low)
        after.append(extent - 1 + window.reach(axis) - length - low)
    spread = _cropped(call, spread, before, after)
    padding = tuple(max(0, each) for each in (*before, *after))
    swapped = _channels_swapped(call, turned, groups)
    kind = f"conv{rank}d"
    partials = call.attrs["partials"]
    return call.add(kind, spread, swapped, padding=padding, dilation=window.dilation, groups=groups, partials=partials)


def _of_kernel(call: Backward, window: Window) -> str:
    x = call.inputs[0]
    rank = len(window.kernel)
    groups = int(str(call.attrs["groups"]))
    batch, channels = x.shape[:2]
    axes = tuple(range(3, rank + 3))
    split = call.add("reshape", x.name, shape=(batch, groups, channels // groups, *x.shape[2:]))
    moved = call.add("transpose", split, axes=(2, 1, 0, *axes))
    field = call.add("reshape", moved, shape=(channels // groups, groups * batch, *x.shape[2:]))
    kernel = call.add("transpose", call.upstream, axes=(1, 0, *range(2, rank + 2)))
    after = []
    for axis, extent in enumerate(x.shape[2:]):
        length = (call.output.shape[2 + axis] - 1) * window.stride[axis] + 1
        after.append((window.kernel[axis] - 1) * window.dilation[axis] + length - extent - window.before[axis])
    field = _cropped(call, field, [0] * rank, after)
    found = call.add(
        f"conv{rank}d",
        field,
        kernel,
        padding=(*window.before, *(max(0, each) for each in after)),
        stride=window.dilation,
        dilation=window.stride,
        groups=groups,
        partials=call.attrs["partials"],
    )
    return call.add("transpose", found, axes=(1, 0, *range(2, rank + 2)))


def _cropped(call: Backward, name: str, before: list[int], after: list[int]) -> str:
    """Take away what a negative padding says."""
    for axis, (low, high) in enumerate(zip(before, after, strict=True)):
        if low < 0:
            name = call.add("slice", name, axis=2 + axis, start=-low)
        if high < 0:
            name = call.add("slice", name, axis=2 + axis, end=high)
    return name


def _channels_swapped(call: Backward, name: str, groups: int) -> str:
    """Return kernels ``[out, in / groups, ...]`` as ``[in, out / groups, ...]``."""
    out, group_in, *kernel = call.inputs[1].shape
    rank = len(kernel)
    if groups == 1:
        return call.add("transpose", name, axes=(1, 0, *range(2, rank + 2)))
    split = call.add("reshape", name, shape=(groups, out // groups, group_in, *kernel))
    moved = call.add("transpose", split, axes=(0, 2, 1, *range(3, rank + 3)))
    return call.add("reshape", moved, shape=(groups * group_in, out // groups, *kernel))
