"""How a rectangle of rows and columns is divided over the workers of a tile.

The sparse library divides rows times grains of columns: nearly square pieces first, the last piece of each dimension
taking the remainder; then, while workers are idle, the piece with most elements is halved.
Source: reference/sparse.md section 2.4.
"""

from __future__ import annotations

from ipusim.cost.arithmetic import ceil_div


def worker_pieces(rows: int, cols: int, workers: int) -> list[tuple[int, int]]:
    """Return the rows and columns of every busy worker.

    Parameters
    ----------
    rows, cols : int
        The rectangle, both at least 1.
    workers : int
        Worker contexts of the tile.

    Returns
    -------
    list of tuple of int
        One ``(rows, columns)`` per busy worker; together they have as many elements as the rectangle.
    """
    share = ceil_div(rows * cols, workers)
    rows_per = min(ceil_div(share, cols), rows)
    cols_per = min(ceil_div(share, rows_per), cols)
    n_rows = rows // rows_per
    n_cols = cols // cols_per
    pieces = [
        (
            rows_per + (rows % rows_per if i == n_rows - 1 else 0),
            cols_per + (cols % cols_per if j == n_cols - 1 else 0),
        )
        for i in range(n_rows)
        for j in range(n_cols)
    ]
    while len(pieces) < workers:
        largest = 0
        for i in range(len(pieces)):
            if pieces[i][0] * pieces[i][1] > pieces[largest][0] * pieces[largest][1]:
                largest = i
        height, width = pieces[largest]
        if height * width == 1:
            break
        if height > width:
            pieces[largest] = (height - height // 2, width)
            pieces.append((height // 2, width))
        else:
            pieces[largest] = (height, width - width // 2)
            pieces.append((height, width // 2))
    return pieces
