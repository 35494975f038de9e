"""Windows of images as columns of a matrix, and columns of a result back into images."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ipusim.kernels.jit import kernel

F32Array = NDArray[np.float32]
IntArray = NDArray[np.int64]


@kernel
def gather_windows(
    images: F32Array,
    panels: IntArray,
    columns: IntArray,
    table: IntArray,
    sliding: IntArray,
    out: F32Array,
    first: int,
    last: int,
) -> None:
    """Write the elements of windows into the panels ``first:last``: a row for each product, a column for each output.

    Parameters
    ----------
    images : float32 array [images, channels, height, width]
    panels : int64 array [p, 13]
        ``image, images, first channel, y, rows, x, columns, row 0, row 1, column 0, column 1, start, products``: the
        outputs, the part of the input that may be read (all else is zero), and its products in `table`.
    columns : int64 array [p]
        First column of each panel in `out`.
    table : int64 array [t, 3]
        Channel (from the panel's first), kernel row and kernel column of each product; channel -1 is a zero.
    sliding : int64 array [6]
        Stride, dilation and padding before, each of rows and columns.
    out : float32 array [products, columns]
        Changed in place.
    """
    for panel in range(first, last):
        image, n_images, channel = panels[panel, 0], panels[panel, 1], panels[panel, 2]
        y, n_rows, x, n_cols = panels[panel, 3], panels[panel, 4], panels[panel, 5], panels[panel, 6]
        row_0, row_1, col_0, col_1 = panels[panel, 7], panels[panel, 8], panels[panel, 9], panels[panel, 10]
        start, products = panels[panel, 11], panels[panel, 12]
        for product in range(products):
            offset, ky, kx = table[start + product, 0], table[start + product, 1], table[start + product, 2]
            left = x * sliding[1] + kx * sliding[3] - sliding[5]
            low = 0
            if left < col_0:
                low = min(n_cols, (col_0 - left + sliding[1] - 1) // sliding[1])
            high = 0
            if left < col_1:
                high = min(n_cols, (col_1 - left + sliding[1] - 1) // sliding[1])
            place = columns[panel]
            for n in range(image, image + n_images):
                for row in range(y, y + n_rows):
                    from_row = row * sliding[0] + ky * sliding[2] - sliding[4]
                    if offset < 0 or from_row < row_0 or from_row >= row_1 or high <= low:
                        for i in range(n_cols):
                            out[product, place + i] = np.float32(0.0)
                    else:
                        for i in range(low):
                            out[product, place + i] = np.float32(0.0)
                        if sliding[1] == 1:
                            for i in range(low, high):
                                out[product, place + i] = images[n, channel + offset, from_row, left + i]
                        else:
                            for i in range(low, high):
                                out[product, place + i] = images[n, channel + offset, from_row, left + i * sliding[1]]
                        for i in range(high, n_cols):
                            out[product, place + i] = np.float32(0.0)
                    place += n_cols


@kernel
def scatter_blocks(values: F32Array, blocks: IntArray, out: F32Array, first: int, last: int) -> None:
    """Write the result blocks ``first:last`` into images.

    Parameters
    ----------
    values : float32 array [rows, columns]
        A row for each output channel of a group.
    blocks : int64 array [b, 10]
        ``image, images, channel, channels, y, rows, x, columns, row, column``: where the block goes, and its first row
        and column in `values`.
    out : float32 array [images, channels, height, width]
        Changed in place.
    """
    for block in range(first, last):
        image, n_images, channel, n_channels = blocks[block, 0], blocks[block, 1], blocks[block, 2], blocks[block, 3]
        y, n_rows, x, n_cols = blocks[block, 4], blocks[block, 5], blocks[block, 6], blocks[block, 7]
        for i in range(n_channels):
            place = blocks[block, 9]
            for n in range(image, image + n_images):
                for row in range(y, y + n_rows):
                    for col in range(n_cols):
                        out[n, channel + i, row, x + col] = values[blocks[block, 8] + i, place + col]
                    place += n_cols
