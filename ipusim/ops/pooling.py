"""Builds the pooling operators: the largest element, or the mean, of every window of every channel."""

from __future__ import annotations

from itertools import product
from math import prod

import numpy as np

from ipusim.ir.tensor import Tensor
from ipusim.ops.gradient import Backward, Gradients
from ipusim.ops.pooling_gradient import largest_gradient, mean_gradient
from ipusim.ops.spec import Attrs, F64Array, Flag, OpSpec, ShapeError, TensorType, computed_format, shown
from ipusim.ops.window import PADDING, Extents, Window, padded_input, per_dimension, sides, slid_extents, window_element

KERNEL = Extents("kernel", "Extent of a window", default=None)
STRIDE = Extents("stride", "Distance between windows", default=None)
INCLUDE_PADDING = Flag("include_padding", "The zeros of the padding count as elements of the mean")


def pooling_window(attrs: Attrs, rank: int) -> Window:
    """Return the window of a pooling operator over `rank` spatial dimensions.

    Raises
    ------
    ShapeError
        An attribute has too many numbers, or the padding is as large as the kernel.
    """
    kernel, stride = (per_dimension(attrs, name, rank) for name in ("kernel", "stride"))
    before, after = sides(attrs, rank)
    for extent, padding in zip(kernel, zip(before, after, strict=True), strict=True):
        if max(padding) >= extent:
            raise ShapeError(
                f"padding {max(padding)} is not less than the kernel's {extent}",
                attribute="padding",
                hint="a window would have no element of the input",
            )
    return Window(kernel, stride, (1,) * rank, before, after)


def pooling(name: str, rank: int, largest: bool) -> OpSpec:
    """Return the pooling operator over the last `rank` dimensions that takes the largest element, or the mean."""

    def infer(inputs: tuple[Tensor, ...], attrs: Attrs) -> TensorType:
        (x,) = inputs
        if len(x.shape) != rank + 2:
            form = "[batch, channels, width]" if rank == 1 else "[batch, channels, height, width]"
            raise ShapeError(f"{name} needs {form}, but {shown(x)} has {len(x.shape)} dimensions", operand=0)
        window = pooling_window(attrs, rank)
        return TensorType((*x.shape[:2], *slid_extents(window, x.shape[2:], "the kernel")), computed_format(x.dtype))

    def flops(
        _inputs: tuple[Tensor, ...], outputs: tuple[Tensor, ...], attrs: Attrs, _nonzeros: tuple[int, ...]
    ) -> int:
        return outputs[0].n_elements * prod(per_dimension(attrs, "kernel", rank))

    def reference(arrays: tuple[F64Array, ...], attrs: Attrs) -> F64Array:
        (x,) = arrays
        window = pooling_window(attrs, rank)
        extents = tuple(window.positions(axis, extent) for axis, extent in enumerate(x.shape[2:]))
        padded = padded_input(x, window, -np.inf if largest else 0.0)
        places = list(product(*(range(extent) for extent in window.kernel)))
        elements = np.stack([window_element(padded, window, place, extents) for place in places])
        if largest:
            return np.asarray(elements.max(axis=0), dtype=np.float64)
        if attrs["include_padding"]:
            return np.asarray(elements.mean(axis=0), dtype=np.float64)
        inside = padded_input(np.ones_like(x), window)
        counts = np.stack([window_element(inside, window, place, extents) for place in places]).sum(axis=0)
        return np.asarray(elements.sum(axis=0) / counts, dtype=np.float64)

    def gradient(call: Backward) -> Gradients:
        window = pooling_window(call.attrs, rank)
        return (largest_gradient(call, window) if largest else mean_gradient(call, name, window),)

    what = "Largest element" if largest else "Mean"
    return OpSpec(
        name=name,
        summary=f"{what} of windows over {rank} spatial dimension{'s' if rank > 1 else ''}, channels first",
        inputs=("x",),
        infer=infer,
        flops=flops,
        reference=reference,
        attributes=(KERNEL, STRIDE, PADDING) if largest else (KERNEL, STRIDE, PADDING, INCLUDE_PADDING),
        gradient=gradient,
    )
