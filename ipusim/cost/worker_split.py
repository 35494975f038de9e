"""How a rectangle of rows and columns is divided over the workers of a tile.

The sparse library divides rows times grains of columns: nearly square pieces first, the last piece of each dimension
taking the remainder; then, while workers are idle, the piece with most elements is halved.
Source: reference/sparse.md section 2.4.
"""

from __future__ import annotations

from ipusim.cost.arithmetic import ceil_div


def worker_pieces(rows: int, cols: int, workers: int) -> list[tuple[int, int, int, int]]:
    """Return the part of every busy worker.

    Parameters
    ----------
    rows, cols : int
        The rectangle, both at least 1.
    workers : int
        Worker contexts of the tile.

    Returns
    -------
    list of tuple of int
        ``(first row, rows, first column, columns)`` of each busy worker; together they cover the rectangle once.
    """
    share = ceil_div(rows * cols, workers)
    rows_per = min(ceil_div(share, cols), rows)
    cols_per = min(ceil_div(share, rows_per), cols)
    n_rows = rows // rows_per
    n_cols = cols // cols_per
    pieces = [
        (
            i * rows_per,
            rows_per + (rows % rows_per if i == n_rows - 1 else 0),
            j * cols_per,
            cols_per + (cols % cols_per if j == n_cols - 1 else 0),
        )
        for i in range(n_rows)
        for j in range(n_cols)
    ]
    while len(pieces) < workers:
        largest = 0
        for i in range(len(pieces)):
            if pieces[i][1] * pieces[i][3] > pieces[largest][1] * pieces[largest][3]:
                largest = i
        row, height, col, width = pieces[largest]
        if height * width == 1:
            break
        if height > width:
            kept = height - height // 2
            pieces[largest] = (row, kept, col, width)
            pieces.append((row + kept, height - kept, col, width))
        else:
            kept = width - width // 2
            pieces[largest] = (row, height, col, kept)
            pieces.append((row, height, col + kept, width - kept))
    return pieces


def widest_share(cols: int, workers: int) -> int:
    """Return the most columns that a worker gets of one row of `cols` columns."""
    widest = 0
    for piece in worker_pieces(1, cols, workers):
        widest = max(widest, piece[3])
    return widest


def field_pieces(worker: int, workers: int, lines: int, width: int) -> tuple[int, int, int]:
    """Return the row pieces of one worker of a convolution: first piece, whole rows after it, last piece.

    The elements of the field are shared out evenly in row-major order, and cut at the ends of rows.

    Parameters
    ----------
    worker, workers : int
        Which worker, of how many.
    lines, width : int
        Rows of the field on the tile, of all images, and elements of each.

    Notes
    -----
    Source: poplibs partitionConvPartialByWorker (dense reference, section 2.4).
    """
    elements = lines * width
    begin = worker * elements // workers
    end = (worker + 1) * elements // workers
    first = min(end, (begin // width + 1) * width) - begin
    whole = (end - begin - first) // width
    return first, whole, end - begin - first - whole * width
