"""The serial slices of the columns in the gradient of a static weight: one is gathered and multiplied after another.

Every column interval is cut into equal slices of whole vectors; an interval that is too narrow has fewer. What a tile
gathers is that much less, the sums stay where they are.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from ipusim.cost.arithmetic import ceil_div, round_up
from ipusim.formats import number_format
from ipusim.plan.static_partition import RunLayout, StaticPartition
from ipusim.plan.static_search import StaticPlan, vector_grain

IntArray = NDArray[np.int64]


def amp_columns(plan: StaticPlan, n_cols: int) -> int:
    """Return the columns that vertices of the AMP see: whole vectors, filled up with zeros when they are transposed."""
    return round_up(n_cols, _grain(plan, amp=True))


def slice_edges(partition: StaticPartition, n_slices: int, amp: bool) -> IntArray:
    """Return where the slices start, and where the last one ends: int64 array [n_slices + 1, n_intervals].

    Parameters
    ----------
    partition : StaticPartition
    n_slices : int
        Of the widest interval; a narrower one may have empty slices at its end.
    amp : bool
        Slices are whole vectors of the AMP.
    """
    first, last = partition.col_edges[:-1], partition.col_edges[1:]
    if n_slices == 1:
        return np.stack([first, last])
    grain = _grain(partition.plan, amp)
    vectors = -((first - last) // grain)
    width = -(-vectors // n_slices) * grain
    return np.minimum(first + width * np.arange(n_slices + 1, dtype=np.int64)[:, None], last)


def slice_numbers(partition: StaticPartition, amp: bool) -> Iterator[int]:
    """Yield all numbers of slices that leave none of the widest interval empty, ascending."""
    widest, grain = int(np.diff(partition.col_edges).max()), _grain(partition.plan, amp)
    yield 1
    for number in range(2, ceil_div(widest, grain) + 1):
        if ceil_div(widest, round_up(ceil_div(widest, number), grain)) == number:
            yield number


def slice_cases(partition: StaticPartition, edges: IntArray) -> Iterator[list[tuple[RunLayout, int]]]:
    """Yield for every slice the pairs of a layout and a width that occur; intervals with the same pair cost the same.

    Parameters
    ----------
    partition : StaticPartition
    edges : int64 array [n_slices + 1, n_intervals]
        Of :func:`slice_edges`.
    """
    for widths in np.diff(edges, axis=0).tolist():
        pairs = {pair for pair in zip(partition.layout_of.tolist(), widths, strict=True) if pair[1]}
        yield [(partition.layouts[which], width) for which, width in sorted(pairs)]


def slice_bytes(partition: StaticPartition, n_slices: int, partials: str, amp: bool, n_tiles: int) -> int:
    """Return what a tile may have of gathered lines, of their transposes and of sums while it multiplies.

    Where there are several intervals, their sums arrive in the exchange after the last slice.

    Parameters
    ----------
    partition : StaticPartition
    n_slices : int
    partials : str
        Format of the sums.
    amp : bool
        The operands are transposed.
    n_tiles : int
        Of the chip.
    """
    plan, most = partition.plan, 0
    data_bytes, sum_bytes = number_format(plan.dtype).bytes, number_format(partials).bytes
    arriving = 0
    if partition.n_intervals > 1:
        elements = partition.order.size * plan.block_size**2
        arriving = partition.n_intervals * ceil_div(elements, n_tiles) * sum_bytes
    for layout, n_cols in next(slice_cases(partition, slice_edges(partition, n_slices, amp))):
        copied = amp_columns(plan, n_cols) if amp else 0
        lines = (np.diff(layout.rows_indptr) + layout.n_cols) * ((n_cols + copied) * plan.block_size * data_bytes)
        sums = np.diff(layout.blocks_indptr) * (plan.block_size**2 * sum_bytes)
        most = max(most, int((lines + sums).max(initial=0)))
    return most + arriving


def _grain(plan: StaticPlan, amp: bool) -> int:
    if not amp:
        return vector_grain(plan.dtype)
    return 8 if plan.dtype == "float32" else 16
