"""Stages of the reduction of a convolution's partial sums: how many, how deep, and what each of them moves.

A deep reduction is done in two or three stages, so that no tile has to receive from very many others. The numbers of
stages and their factors are the published planner's (dense reference, section 2.10; poplibs lib/poplin/
ConvReducePlan.cpp and ConvReduce.cpp).
"""

from __future__ import annotations

from ipusim.cost.arithmetic import ceil_div, floor_root

TWO_STAGE_DEPTH = 16
"""Least depth that is reduced in two stages."""
THREE_STAGE_DEPTH = 125
"""Least depth that is reduced in three stages."""
SINGLE_BLOCK_SHARE = 16
"""The partials gathered in one block may take this part of a tile's memory, as a divisor."""


def planned_stages(depth: int) -> int:
    """Return the number of stages in which partial sums of `depth` tiles are reduced; 0 for a depth of 1."""
    if depth <= 1:
        return 0
    return 1 if depth < TWO_STAGE_DEPTH else 2 if depth < THREE_STAGE_DEPTH else 3


def _messages(depth: int, factor: int) -> float:
    return depth / factor + factor


def square_factor(depth: int) -> int:
    """Return the depth left after the first of two stages: a whole number next to the root of `depth`.

    Of the two neighbours, the one with the smaller sum of ``depth / factor`` and ``factor``.
    """
    root = floor_root(depth, 2)
    return root if _messages(depth, root) <= _messages(depth, root + 1) else root + 1


def planned_depths(depth: int) -> tuple[int, int]:
    """Return the depths that are left after the first and after the second stage; 0 where there is no such stage.

    The last stage, which leaves a depth of 1, is not among them.
    """
    stages = planned_stages(depth)
    if stages < 2:
        return 0, 0
    if stages == 2:
        return square_factor(depth), 0
    low = floor_root(depth * depth, 3)
    after_low = square_factor(low)
    after_high = square_factor(low + 1)
    low_sum = depth / low + _messages(low, after_low)
    high_sum = depth / (low + 1) + _messages(low + 1, after_high)
    return (low, after_low) if low_sum <= high_sum else (low + 1, after_high)


def reduction_stages(outputs: int, depth: int, multi_stage: bool) -> tuple[int, int, int, int, int, int]:
    """Return what a tile does in each stage of a reduction.

    Parameters
    ----------
    outputs : int
        Elements that the tile holds after the reduction.
    depth : int
        Partial sums of each of them.
    multi_stage : bool
        Allow more than one stage.

    Returns
    -------
    tuple of six int
        ``(outputs, depth)`` of a tile in the first, second and third stage; zeros after the last.
    """
    if depth <= 1:
        return 0, 0, 0, 0, 0, 0
    next_depth, last_depth = planned_depths(depth) if multi_stage else (0, 0)
    if next_depth == 0:
        return outputs, depth, 0, 0, 0, 0
    first = ceil_div(depth, next_depth)
    left = ceil_div(depth, first)
    size = ceil_div(outputs * depth, first)
    if last_depth == 0:
        return size, first, ceil_div(size, left), left, 0, 0
    second = ceil_div(left, last_depth)
    remaining = ceil_div(left, second)
    middle = ceil_div(size, second)
    if remaining <= 1:
        return size, first, middle, second, 0, 0
    return size, first, middle, second, ceil_div(middle, remaining), remaining


def single_input_allowed(
    outputs: int, depth: int, float_partials: bool, fast: bool, tile_sram_bytes: int, memory_element_bytes: int
) -> bool:
    """Return whether a stage may use the vertex that takes its partials as one block.

    Parameters
    ----------
    outputs, depth : int
        Of the stage; the tile's own partial stays in place, the others form the block.
    float_partials : bool
        32-bit rather than 16-bit partials.
    fast : bool
        The fast reduction is asked for, which allows a block of any size.
    tile_sram_bytes, memory_element_bytes : int
        Memory of a tile; the block takes whole memory elements.
    """
    if outputs % (4 if float_partials else 8):
        return False
    block_bytes = outputs * (depth - 1) * (4 if float_partials else 2)
    elements_bytes = ceil_div(block_bytes, memory_element_bytes) * memory_element_bytes
    return fast or elements_bytes * SINGLE_BLOCK_SHARE < tile_sram_bytes


def later_stage_bytes(outputs: int, depth: int, partial_bytes: int, multi_stage: bool) -> int:
    """Return the bytes that the planner lets a tile receive before the second and third stage: all their inputs.

    What one stage leaves on a tile is what the next one takes in.
    """
    first, _, second, depth_2, _, depth_3 = reduction_stages(outputs, depth, multi_stage)
    elements = (first if depth_2 else 0) + (second if depth_3 else 0)
    return elements * partial_bytes


def received_bytes(outputs: int, depth: int, partial_bytes: int) -> int:
    """Return the bytes that a tile really receives for one stage: its own partial is in place.

    Source: dense model notes, section 2.3. `outputs` and `depth` are those of the stage.
    """
    return outputs * (depth - 1) * partial_bytes if depth > 1 else 0


def temporary_bytes(outputs: int, depth: int, partial_bytes: int, multi_stage: bool) -> int:
    """Return the bytes of partials that a tile holds in the widest stage, the first one; 0 for a depth of 1."""
    size, first, _, _, _, _ = reduction_stages(outputs, depth, multi_stage)
    return size * first * partial_bytes
