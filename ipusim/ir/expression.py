"""Elementwise expressions: what a vertex computes for every element, and how smaller operands are repeated."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ipusim.ir.regions import IntArray

ELEMENT_BY_ELEMENT: IntArray = np.zeros((0, 2), dtype=np.int64)
"""Pattern of an operand that has as many elements as the result."""


@dataclass(frozen=True, slots=True)
class Node:
    """One function of an expression.

    Attributes
    ----------
    function : str
        Name in the tables of the vertices and kernels.
    inputs : tuple of int
        Operands of the vertex that it reads.
    output : int
        The operand that it writes.
    constants : tuple of float
    """

    function: str
    inputs: tuple[int, ...]
    output: int
    constants: tuple[float, ...] = ()


@dataclass(frozen=True, slots=True)
class Expression:
    """What the vertices of a set compute, element by element.

    Attributes
    ----------
    nodes : tuple of Node
        In the order in which they run.
    patterns : tuple of int64 array [axes, 2]
        Of each operand of the vertices: see :func:`broadcast_pattern`.
    """

    nodes: tuple[Node, ...]
    patterns: tuple[IntArray, ...]


def broadcast_pattern(operand: tuple[int, ...], result: tuple[int, ...]) -> IntArray:
    """Return how an operand is repeated over a result: int64 array [axes, 2].

    Each row has the extent of an axis of the result, outermost first, and the distance between the operand's elements
    of neighbours along it: 0 along a repeated axis. Neighbouring axes of one kind are merged; there is none if the
    operand is as large as the result.

    Parameters
    ----------
    operand, result : tuple of int
        Shapes; the first broadcasts to the second under numpy's rule.
    """
    padded = (1,) * (len(result) - len(operand)) + operand
    merged: list[list[int]] = []
    for have, extent in zip(padded, result, strict=True):
        if extent == 1:
            continue
        kept = int(have != 1)
        if merged and merged[-1][1] == kept:
            merged[-1][0] *= extent
        else:
            merged.append([extent, kept])
    if all(kept for _, kept in merged):
        return ELEMENT_BY_ELEMENT
    distance = 1
    for axis in reversed(merged):
        if axis[1]:
            axis[1] = distance
            distance *= axis[0]
    return np.array(merged, dtype=np.int64)


def covered_runs(pattern: IntArray, shape: tuple[int, int, int], box: IntArray) -> tuple[IntArray, IntArray]:
    """Return the run of an operand's elements that holds all that boxes of the result need: int64 arrays [n].

    Parameters
    ----------
    pattern : int64 array [axes, 2]
        Of the operand.
    shape : tuple of three int
        Of the result's variable.
    box : int64 array [n, 6]
        Boxes of it, cut to its edge.

    Returns
    -------
    first, end : int64 arrays [n]
        Half-open; no longer than needed where the boxes are boxes of the pattern's axes, too.
    """
    first = np.zeros(len(box), dtype=np.int64)
    last = np.zeros(len(box), dtype=np.int64)
    inner = 1
    for extent, step in pattern[::-1]:
        if step:
            low, high = _axis_range(int(inner), int(extent), shape, box)
            first += low * step
            last += high * step
        inner *= extent
    return first, last + 1


def _axis_range(inner: int, extent: int, shape: tuple[int, int, int], box: IntArray) -> tuple[IntArray, IntArray]:
    """Return lowest and highest ``(e // inner) % extent`` of the elements `e` of boxes, or bounds for them."""
    _, rows, cols = shape
    g0, g1, r0, r1, c0, c1 = box.T
    period = inner * extent
    everything = np.zeros(len(box), dtype=np.int64), np.full(len(box), extent - 1, dtype=np.int64)
    if cols % period == 0:
        return _quotients(c0, c1, inner, extent)
    if inner % cols == 0:
        lines, per = inner // cols, period // cols
        if rows % per == 0:
            return _quotients(r0, r1, lines, extent)
        if lines % rows == 0:
            return _quotients(g0, g1, lines // rows, extent)
        one = g1 - g0 == 1
        low, high = _quotients(g0 * rows + r0, g0 * rows + r1, lines, extent)
        whole = (r0 == 0) & (r1 == rows)
        low_all, high_all = _quotients(g0 * rows, g1 * rows, lines, extent)
        low = np.where(one, low, np.where(whole, low_all, everything[0]))
        return low, np.where(one, high, np.where(whole, high_all, everything[1]))
    start = (g0 * rows + r0) * cols + c0
    end = ((g1 - 1) * rows + r1 - 1) * cols + c1
    return _quotients(start, end, inner, extent)


def _quotients(start: IntArray, end: IntArray, inner: int, extent: int) -> tuple[IntArray, IntArray]:
    """Return lowest and highest ``(i // inner) % extent`` for ``start <= i < end``, everything where it wraps."""
    low, high = start // inner, (np.maximum(end, start + 1) - 1) // inner
    wraps = low // extent != high // extent
    return np.where(wraps, 0, low % extent), np.where(wraps, extent - 1, high % extent)
