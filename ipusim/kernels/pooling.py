"""The largest element, or the mean, of windows."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ipusim.kernels.jit import kernel
from ipusim.kernels.scalars import half_grid

F32Array = NDArray[np.float32]
IntArray = NDArray[np.int64]

_NAN = np.float32(np.nan)


@kernel
def pool_boxes(
    x: F32Array,
    x_box: IntArray,
    y: F32Array,
    y_box: IntArray,
    window: IntArray,
    largest: bool,
    include_padding: bool,
    half: bool,
    first: int,
    last: int,
) -> None:
    """Compute the boxes ``first:last`` of a result.

    Parameters
    ----------
    x, y : float32 arrays [channels, height, width]
    x_box : int64 array [n, 6]
        The part of the input that each box may read; what lies outside is padding.
    y_box : int64 array [n, 6]
        ``g0, g1, r0, r1, c0, c1`` of the result. Changed in place.
    window : int64 array [6]
        Kernel, stride and padding before, each of rows and columns.
    largest : bool
        The largest element rather than the mean: float32 sums in row-major order, one division.
    include_padding : bool
        Divide by the elements of the whole window.
    half : bool
        Round results to float16.
    """
    for box in range(first, last):
        for channel in range(y_box[box, 0], y_box[box, 1]):
            for row in range(y_box[box, 2], y_box[box, 3]):
                top = row * window[2] - window[4]
                low, high = max(top, x_box[box, 2]), min(top + window[0], x_box[box, 3])
                for col in range(y_box[box, 4], y_box[box, 5]):
                    edge = col * window[3] - window[5]
                    left, right = max(edge, x_box[box, 4]), min(edge + window[1], x_box[box, 5])
                    total = np.float32(-np.inf) if largest else np.float32(0.0)
                    for i in range(low, high):
                        for j in range(left, right):
                            value = x[channel, i, j]
                            if not largest:
                                total += value
                            elif value > total or value != value:
                                total = value
                    if not largest:
                        count = window[0] * window[1] if include_padding else (high - low) * (right - left)
                        total = total / np.float32(count)
                    if total != total:
                        total = _NAN
                    y[channel, row, col] = half_grid(total) if half else total
