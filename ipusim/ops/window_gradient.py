"""What gradients of ops with sliding windows begin with: the gradient of the result at the places of the windows."""

from __future__ import annotations

from ipusim.ops.gradient import Backward
from ipusim.ops.window import Window


def spread_gradient(call: Backward, window: Window) -> str:
    """Return the gradient of the result with zeros between its elements, so that they are a stride apart.

    Parameters
    ----------
    call : Backward
        Of an op with a result ``[batch, channels, ...]``.
    window : Window
    """
    name, shape = call.upstream, list(call.output.shape)
    for axis, stride in enumerate(window.stride, start=2):
        if stride == 1:
            continue
        before, extent, after = shape[:axis], shape[axis], shape[axis + 1 :]
        apart = call.add("reshape", name, shape=(*before, extent, 1, *after))
        filled = call.add("pad", apart, after=(*(0,) * (axis + 1), stride - 1, *(0,) * len(after)))
        joined = call.add("reshape", filled, shape=(*before, extent * stride, *after))
        shape[axis] = (extent - 1) * stride + 1
        name = call.add("slice", joined, axis=axis, end=shape[axis])
    return name
