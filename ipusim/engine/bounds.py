"""How far executed values may lie from their float64 reference: bounds that follow from the number formats.

The bounds are those of running error analysis: every rounding to a format with unit roundoff `u` errs by at most `u`
times the number that is rounded, and the numbers that a matrix product rounds are sums of products over intervals of
its depth, whose sizes are found beside the reference itself. They hold for any data, and shrink where sums cancel.

Roundings at random, with the exact number as their mean, err independently of each other: `n` of them by no more than
four times the root of `n` neighbours' distances, but for a chance of 3e-14 (Hoeffding's inequality; Connolly, Higham,
Mary, "Stochastic rounding and its probabilistic backward error analysis", 2021).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from ipusim.formats import Format, number_format

F64Array = NDArray[np.float64]
Part = Callable[[int, int], tuple[F64Array, F64Array]]

_SINGLE = number_format("float32")
_WIDE_BLOCK = 64
_DEVIATIONS = 4.0
"""Errors of `n` roundings at random, in root-n distances of neighbours: exceeded with a chance of 2 exp(-2 * 4^2)."""


@dataclass(frozen=True, slots=True)
class Comparison:
    """Executed values beside their reference.

    Attributes
    ----------
    value, reference, tolerance : float64 arrays [n]
        The tolerance is infinite where the reference or a sum on the way to it leaves the range of a format.
    """

    value: F64Array
    reference: F64Array
    tolerance: F64Array


@dataclass(frozen=True, slots=True)
class Summation:
    """How a program forms the sums of a matrix product.

    Attributes
    ----------
    bounds : tuple of int
        Edges of the intervals of depth that are summed apart, 0 and the depth included; the sums of the intervals are
        then added up in groups of neighbours.
    group : int
        Products between two roundings of a sum to the format of partials.
    partials : Format
    most_products, most_roundings, most_sources : int or None
        Of a sparse product, where most products are with zero and round nothing: the most products and roundings that
        count in an interval, and the most partial sums of an element.
    ordered : bool
        The products of an interval are added up in the order of depth; else in any order.
    stochastic : bool
        Sums are rounded to the format of partials at random.
    """

    bounds: tuple[int, ...]
    group: int
    partials: Format
    most_products: int | None = None
    most_roundings: int | None = None
    most_sources: int | None = None
    ordered: bool = True
    stochastic: bool = False

    def products(self, interval: int) -> int:
        """Return the most products of an element in an interval of so much depth."""
        return interval if self.most_products is None else min(interval, self.most_products)

    def roundings(self, interval: int) -> int:
        """Return the most roundings of its sums there."""
        return -(-interval // self.group) if self.most_roundings is None else self.most_roundings

    def errors(self, roundings: int) -> float:
        """Return what the errors of so many roundings to partials may add up to, in the error of one."""
        return min(roundings, _DEVIATIONS * roundings**0.5) if self.stochastic else roundings

    @property
    def additions(self) -> int:
        """Roundings while partial sums are added up."""
        return 2 * len(self.bounds) + 2 if self.most_sources is None else 2 * self.most_sources + 2


def compare_product(
    left: F64Array, right: F64Array, value: F64Array, summation: Summation, output: Format
) -> Comparison:
    """Compare a matrix product with ``left @ right``.

    Parameters
    ----------
    left : float64 array [m, k]
    right : float64 array [k, n]
    value : float64 array [m, n]
        As executed.
    summation : Summation
    output : Format
        Of `value`.
    """

    def part(first: int, last: int) -> tuple[F64Array, F64Array]:
        a, b = left[:, first:last], right[first:last]
        return a @ b, _lengths(a, 1)[:, None] * _lengths(b, 0)[None, :]

    return _compare_sums(part, value, summation, output)


def compare_dots(left: F64Array, right: F64Array, value: F64Array, summation: Summation, output: Format) -> Comparison:
    """Compare values with the products of pairs of rows, added up: float64 arrays [s, k], [s, k] and [s].

    `summation` and `output` are as in :func:`compare_product`.
    """

    def part(first: int, last: int) -> tuple[F64Array, F64Array]:
        a, b = left[:, first:last], right[:, first:last]
        return np.einsum("ij,ij->i", a, b), _lengths(a, 1) * _lengths(b, 1)

    return _compare_sums(part, value, summation, output)


def _compare_sums(part: Part, value: F64Array, summation: Summation, output: Format) -> Comparison:
    """Compare values with sums, of which `part` gives what a part of the depth adds, and a bound on its size."""
    partials = summation.partials
    rounds = partials is not _SINGLE
    step = -(-16 // summation.group) * summation.group if rounds else _WIDE_BLOCK
    total = np.zeros(value.shape)
    error = np.zeros(value.shape)
    largest = np.zeros(value.shape)
    lowest, highest = total.copy(), total.copy()
    growth = 0.0
    for start, end in pairwise(summation.bounds):
        low, high = total.copy(), total.copy()
        within = np.zeros(value.shape)
        # whatever the order, a sum of some products is no larger than the lengths of the vectors
        step = step if summation.ordered else end - start
        for first in range(start, end, step):
            added, lengths = part(first, min(first + step, end))
            total += added
            np.minimum(low, total, out=low)
            np.maximum(high, total, out=high)
            np.maximum(within, lengths, out=within)
        sums = high - low + within
        roundings = summation.products(end - start) * _SINGLE.unit_roundoff
        if rounds:
            times = summation.errors(summation.roundings(end - start))
            roundings += times * partials.unit_roundoff
            error += times * partials.smallest_subnormal / 2
        error += roundings * sums
        growth = max(growth, roundings)
        np.minimum(lowest, low - within, out=lowest)
        np.maximum(highest, high + within, out=highest)
        np.maximum(largest, sums, out=largest)
    np.maximum(largest, highest - lowest, out=largest)
    additions = summation.errors(summation.additions)
    rounding = additions * partials.unit_roundoff + summation.additions * _SINGLE.unit_roundoff
    error += rounding * (highest - lowest) + additions * partials.smallest_subnormal / 2
    growth += rounding
    tolerance = _rounded(total, error / (1.0 - growth) if growth < 1.0 else error * np.inf, output)
    tolerance[largest + tolerance >= partials.max] = np.inf
    return Comparison(value.ravel(), total.ravel(), tolerance.ravel())


def identical(value: NDArray[np.float32], reference: NDArray[np.float32]) -> Comparison:
    """Compare results without roundings: every element is that of the reference."""
    exact = reference.reshape(-1).astype(np.float64)
    return Comparison(value.reshape(-1).astype(np.float64), exact, np.full(exact.shape, np.finfo(np.float64).tiny))


def compare_elementwise(
    reference: Callable[..., F64Array], operands: tuple[F64Array, ...], value: F64Array, output: Format
) -> Comparison:
    """Compare elements of an operator that computes in float32 and rounds once, with its reference on the operands."""
    exact = reference(*operands)
    with np.errstate(invalid="ignore"):
        error = 2 * _SINGLE.unit_roundoff * np.abs(exact) + _SINGLE.smallest_subnormal
        tolerance = _rounded(exact, error, output)
    return Comparison(value.ravel(), exact.ravel(), tolerance.ravel())


def compare_sum(reference: F64Array, size: F64Array, terms: int, value: F64Array, output: Format) -> Comparison:
    """Compare sums, or means, of numbers or of their squares.

    Parameters
    ----------
    reference, size : float64 arrays [n]
        The results, and those of the magnitudes of the numbers.
    terms : int
        Numbers that go into a result; 0 if nothing is added up.
    value : float64 array [n]
        As executed: in float32, in any order, then rounded.
    output : Format
        Of `value`.

    Notes
    -----
    Each of `terms` numbers passes at most as many roundings, one of its square and one of the mean.
    """
    roundings = (terms + 3) * _SINGLE.unit_roundoff if terms else 0.0
    growth = roundings / (1.0 - roundings) if roundings < 1.0 else np.inf
    with np.errstate(invalid="ignore"):
        error = growth * size + _SINGLE.smallest_subnormal * max(1, terms)
        tolerance = _rounded(reference, error, output)
        tolerance[size + error >= _SINGLE.max] = np.inf
    return Comparison(value.ravel(), reference.ravel(), tolerance.ravel())


def compare_finished(
    finish: Callable[[F64Array], F64Array], terms: F64Array, value: F64Array, output: Format
) -> Comparison:
    """Compare functions of sums, which are computed in float32 and rounded once.

    Parameters
    ----------
    finish : callable
        A monotone function, in double precision.
    terms : float64 array [n, k]
        What each sum adds up, in any order.
    value : float64 array [n]
        As executed.
    output : Format
        Of `value`.

    Notes
    -----
    The sums err as in :func:`compare_sum`; the results differ by no more than those at the ends of that range, and by
    three further roundings.
    """
    with np.errstate(all="ignore"):
        sums = terms.sum(axis=1)
        size = np.abs(terms).sum(axis=1)
        slack = compare_sum(sums, size, terms.shape[1], sums, _SINGLE).tolerance
        exact = finish(sums)
        ends = np.stack([finish(sums - slack), finish(sums + slack)])
        error = np.abs(ends - exact).max(axis=0) + 3 * _SINGLE.unit_roundoff * np.abs(ends).max(axis=0)
        # a range around zero may hold a pole
        error[np.isnan(error) | (np.sign(sums - slack) != np.sign(sums + slack))] = np.inf
        tolerance = _rounded(exact, error, output)
    return Comparison(value.ravel(), exact.ravel(), tolerance.ravel())


def _rounded(exact: F64Array, error: F64Array, output: Format) -> F64Array:
    """Return the error bound after a last rounding to `output`; infinite where the result may overflow."""
    largest = np.abs(exact) + error
    tolerance: F64Array = error + output.unit_roundoff * largest + output.smallest_subnormal / 2
    tolerance[~(largest + tolerance < output.max)] = np.inf
    return tolerance


def _lengths(matrix: F64Array, axis: int) -> F64Array:
    lengths: F64Array = np.sqrt(np.einsum("ij,ij->i" if axis else "ij,ij->j", matrix, matrix))
    return lengths
