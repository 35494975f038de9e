"""The on-device form of a dynamic sparse matrix: fixed-size buckets of values and 16-bit metadata words.

A bucket holds sub-groups one after the other and ends with a 0. A sub-group starts with a header, ``id x y ...`` (the
id is the number of its region plus one), and has two words for each row, offset in the output and number of non-zeros,
before the offsets of the row's non-zeros in the dense operand. Source: reference/sparse.md section 2.7.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ipusim.cost.dynamic_non_zeros import ROW_WORDS, stored_header_words
from ipusim.cost.worker_split import worker_pieces
from ipusim.kernels.jit import compiled
from ipusim.plan.dynamic_partition import Placement, offsets_in_bucket
from ipusim.plan.dynamic_plan import DynamicPlan
from ipusim.sparse.blocks import Blocks, canonical_blocks

IntArray = NDArray[np.int64]

WORKER_WORDS = 5
ELEMENT_WISE_FIXED_WORDS = 9


@dataclass(frozen=True, slots=True)
class Buckets:
    """The buckets of all tiles.

    Attributes
    ----------
    words : uint16 array [tiles used, words]
        Metadata.
    values : float32 array [tiles used, groups, block_size, block_size]
        Values, on the grid of the data format; unused places are 0.
    """

    words: NDArray[np.uint16]
    values: NDArray[np.float32]


def encode_buckets(placement: Placement) -> Buckets:
    """Return the buckets of a placed pattern.

    Parameters
    ----------
    placement : Placement
        Its blocks may lack values; they count as ones.
    """
    plan, blocks = placement.plan, placement.blocks
    block = plan.problem.block_size
    values = np.zeros((plan.n_tiles_used, plan.bucket_groups, block, block), np.float32)
    bucket, slot, position = placement.slots()
    values[bucket, slot] = 1.0 if blocks.data is None else blocks.data[placement.order[position]]
    return Buckets(encode_words(placement), values)


def encode_words(placement: Placement) -> NDArray[np.uint16]:
    """Return the metadata of a placed pattern: uint16 array [tiles used, words]."""
    plan = placement.plan
    words = np.zeros((plan.n_tiles_used, plan.bucket_words), np.uint16)
    if placement.order.size:
        _write_words(placement, words)
    return words


def _write_words(placement: Placement, words: NDArray[np.uint16]) -> None:
    plan, blocks = placement.plan, placement.blocks
    problem = plan.problem
    header = stored_header_words(problem.block_size, problem.grad_w, problem.workers)
    sizes, rows = placement.piece_stop - placement.piece_start, placement.piece_rows
    piece_words = header + ROW_WORDS * rows + sizes
    start = offsets_in_bucket(placement.piece_bucket, piece_words)
    compiled(write_rows)(
        placement.piece_bucket,
        placement.piece_start,
        placement.piece_stop,
        start + header,
        placement.row_index,
        placement.order,
        blocks.rows,
        blocks.cols,
        plan.x_groups,
        plan.y_groups,
        problem.block_size,
        plan.dense_unit,
        words,
    )
    region = placement.piece_home // plan.p_n
    fixed = np.zeros((sizes.size, header), np.int64)
    fixed[:, 0] = region + 1
    fixed[:, 1], fixed[:, 2] = np.divmod(region, plan.p_k)
    if problem.block_size > 1:
        fixed[:, 3], fixed[:, 4], fixed[:, 5] = sizes, piece_words, rows - 1
        fixed[:, 6] = problem.workers if problem.grad_w else 0
    else:
        fixed[:, 3], fixed[:, 4], fixed[:, 5], fixed[:, 6] = sizes, piece_words, plan.z, rows - 1
        fixed[:, 7], fixed[:, 8] = header, problem.workers
        compiled(write_workers)(
            placement.piece_start,
            placement.piece_stop,
            placement.row_index,
            placement.row_starts,
            plan.z // plan.z_grain,
            plan.z_grain,
            problem.workers,
            fixed,
        )
    if fixed.max() > np.iinfo(np.uint16).max:
        raise ValueError("a sub-group of the metadata is longer than its 16-bit words can say")
    columns = start[:, None] + np.arange(header)
    words[placement.piece_bucket[:, None], columns] = fixed


def write_rows(
    buckets: IntArray,
    starts: IntArray,
    stops: IntArray,
    body: IntArray,
    row_index: IntArray,
    order: IntArray,
    rows: NDArray[np.int32],
    cols: NDArray[np.int32],
    x_groups: int,
    y_groups: int,
    block_size: int,
    dense_unit: int,
    words: NDArray[np.uint16],
) -> None:
    """Write the rows of all sub-groups: offset of the row and number of its non-zeros, then their offsets.

    Parameters
    ----------
    buckets, starts, stops, body : int64 array [pieces]
        Bucket of each piece, its run of non-zeros, and its first word after the header.
    row_index, order : int64 array [non-zeros]
        As in :class:`~ipusim.plan.dynamic_partition.Placement`.
    rows, cols : int32 array [non-zeros]
    x_groups, y_groups, block_size, dense_unit : int
        Rows and columns of a region, and what offsets count in.
    words : uint16 array [tiles, words]
        Changed in place.
    """
    for piece in range(len(starts)):
        here = body[piece]
        bucket = words[buckets[piece]]
        head = here
        for i in range(starts[piece], stops[piece]):
            if i == starts[piece] or row_index[i] != row_index[i - 1]:
                head = here
                bucket[head] = rows[order[i]] % x_groups * block_size
                bucket[head + 1] = 0 if block_size == 1 else 65535
                here += ROW_WORDS
            bucket[head + 1] = (int(bucket[head + 1]) + 1) & 65535
            bucket[here] = cols[order[i]] % y_groups * dense_unit
            here += 1


def write_workers(
    starts: IntArray,
    stops: IntArray,
    row_index: IntArray,
    row_starts: IntArray,
    z_grains: int,
    z_grain: int,
    workers: int,
    fixed: IntArray,
) -> None:
    """Write the entries of the workers into the headers of element-wise sub-groups.

    An entry is: first non-zero, columns, first column, rows - 1, words from the first row to the worker's first row. A
    worker without rows keeps zeros: no columns.

    Parameters
    ----------
    starts, stops : int64 array [pieces]
        Runs of non-zeros.
    row_index : int64 array [non-zeros]
    row_starts : int64 array [rows + 1]
    z_grains, z_grain, workers : int
        Columns of the tile in grains, columns of a grain, worker contexts.
    fixed : int64 array [pieces, header words]
        Changed in place.
    """
    for piece in range(len(starts)):
        start, stop = starts[piece], stops[piece]
        first = row_index[start]
        n_rows = row_index[stop - 1] - first + 1
        place = ELEMENT_WISE_FIXED_WORDS
        for row, height, col, width in worker_pieces(n_rows, z_grains, workers):
            begin = max(start, row_starts[first + row])
            fixed[piece, place] = begin - start
            fixed[piece, place + 1] = width * z_grain
            fixed[piece, place + 2] = col * z_grain
            fixed[piece, place + 3] = height - 1
            fixed[piece, place + 4] = begin - start + ROW_WORDS * row
            place += WORKER_WORDS


def value_places(placement: Placement, turned: bool) -> IntArray:
    """Return where each place of the buckets is in the matrix, or -1: int64 array [tiles used, groups, b, b].

    Parameters
    ----------
    placement : Placement
    turned : bool
        Positions are those in the transposed matrix, row-major.
    """
    plan, blocks = placement.plan, placement.blocks
    size = plan.problem.block_size
    index = np.full((plan.n_tiles_used, plan.bucket_groups, size, size), -1, np.int64)
    rows, cols = blocks.shape
    compiled(write_places)(
        placement.piece_bucket,
        placement.piece_start,
        placement.piece_stop,
        placement.order,
        blocks.rows,
        blocks.cols,
        1 if turned else cols,
        rows if turned else 1,
        index,
    )
    return index


def write_places(
    buckets: IntArray,
    starts: IntArray,
    stops: IntArray,
    order: IntArray,
    rows: NDArray[np.int32],
    cols: NDArray[np.int32],
    row_step: int,
    col_step: int,
    index: IntArray,
) -> None:
    """Write where every element of every block is in the tensor.

    Parameters
    ----------
    buckets, starts, stops : int64 array [pieces]
        As in :class:`~ipusim.plan.dynamic_partition.Placement`; ascending by bucket.
    order : int64 array [blocks]
    rows, cols : int32 array [blocks]
    row_step, col_step : int
        Distance between neighbours of a column, and of a row, in the tensor.
    index : int64 array [tiles, groups, block_size, block_size]
        Changed in place.
    """
    size = index.shape[2]
    slot = 0
    for piece in range(len(starts)):
        bucket = buckets[piece]
        slot = slot if piece and buckets[piece - 1] == bucket else 0
        for i in range(starts[piece], stops[piece]):
            block = index[bucket, slot]
            first = rows[order[i]] * size * row_step + cols[order[i]] * size * col_step
            for row in range(size):
                for col in range(size):
                    block[row, col] = first + row * row_step + col * col_step
            slot += 1


def decode_buckets(plan: DynamicPlan, buckets: Buckets) -> Blocks:
    """Return the matrix that lies in the buckets.

    Parameters
    ----------
    plan : DynamicPlan
        Plan of the buckets.
    buckets : Buckets
        As written by :func:`encode_buckets`.

    Returns
    -------
    Blocks
        In canonical order, with values.
    """
    problem = plan.problem
    block = problem.block_size
    found = np.empty((plan.n_tiles_used * plan.bucket_groups, 4), np.int64)
    header = stored_header_words(block, problem.grad_w, problem.workers)
    count = compiled(read_words)(buckets.words, header, block, plan.x_groups, plan.y_groups, plan.dense_unit, found)
    rows, cols, tile, slot = found[:count].T
    shape = (problem.m_groups * block, problem.k_groups * block)
    return canonical_blocks(shape, block, rows, cols, buckets.values[tile, slot])


def read_words(
    words: NDArray[np.uint16],
    header: int,
    block_size: int,
    x_groups: int,
    y_groups: int,
    dense_unit: int,
    found: IntArray,
) -> int:
    """Read all metadata; write row, column, tile and place of the value of each non-zero to `found`.

    Parameters
    ----------
    words : uint16 array [tiles, words]
    header, block_size, x_groups, y_groups, dense_unit : int
        Words before the rows, and what offsets count in.
    found : int64 array [capacity, 4]

    Returns
    -------
    int
        Non-zeros found.
    """
    count = 0
    for tile in range(len(words)):
        here, slot = 0, 0
        while words[tile, here] != 0:
            x, y = int(words[tile, here + 1]), int(words[tile, here + 2])
            n_rows = int(words[tile, here + (5 if block_size > 1 else 6)]) + 1
            cursor = here + header
            for _ in range(n_rows):
                row = x * x_groups + int(words[tile, cursor]) // block_size
                length = int(words[tile, cursor + 1]) + (1 if block_size > 1 else 0)
                for i in range(length):
                    found[count, 0] = row
                    found[count, 1] = y * y_groups + int(words[tile, cursor + 2 + i]) // dense_unit
                    found[count, 2] = tile
                    found[count, 3] = slot
                    slot += 1
                    count += 1
                cursor += 2 + length
            here += int(words[tile, here + 4])
    return count
