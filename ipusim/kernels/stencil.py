"""Stencils: weighted sums of neighbours over boxes of a stack of matrices."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ipusim.kernels.elementwise import finish
from ipusim.kernels.jit import kernel

F32Array = NDArray[np.float32]
IntArray = NDArray[np.int64]


@kernel
def stencil_boxes(
    x: F32Array,
    y: F32Array,
    y_box: IntArray,
    distance: IntArray,
    factor: F32Array,
    channels: int,
    periodic: bool,
    beyond: np.float32,
    half: bool,
    first: int,
    last: int,
) -> None:
    """Compute the boxes ``first:last`` of the result: sums in float32, in the order of the neighbours, rounded once.

    Parameters
    ----------
    x, y : float32 arrays [depth, height, width x channels]
        `y` is changed in place.
    y_box : int64 array [n, 6]
        ``g0, g1, r0, r1, c0, c1`` of the result.
    distance : int64 array [k, 3]
        Of each neighbour, along the three axes without channels.
    factor : float32 array [k]
    channels : int
    periodic : bool
        The grid is a torus.
    beyond : float32
        Otherwise the value of everything beyond the grid.
    half : bool
        Round results to float16.
    """
    depth, height, width = x.shape
    for box in range(first, last):
        c0, c1 = y_box[box, 4], y_box[box, 5]
        for plane in range(y_box[box, 0], y_box[box, 1]):
            for row in range(y_box[box, 2], y_box[box, 3]):
                out = y[plane, row, c0:c1]
                out[:] = np.float32(0.0)
                for k in range(len(factor)):
                    f = factor[k]
                    i, j = plane + distance[k, 0], row + distance[k, 1]
                    shift = distance[k, 2] * channels
                    if periodic:
                        i, j = i % depth, j % height
                    elif i < 0 or i >= depth or j < 0 or j >= height:
                        for c in range(len(out)):
                            out[c] += f * beyond
                        continue
                    line = x[i, j]
                    low, high = max(c0, -shift), min(c1, width - shift)
                    for c in range(c0, min(low, c1)):
                        out[c - c0] += f * (line[(c + shift) % width] if periodic else beyond)
                    for c in range(low, high):
                        out[c - c0] += f * line[c + shift]
                    for c in range(max(high, c0), c1):
                        out[c - c0] += f * (line[(c + shift) % width] if periodic else beyond)
                finish(out, half)
