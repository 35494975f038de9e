"""Functions of one to three operands, element by element, over the regions of many vertices.

Operands are flat. One that has as many elements as the result corresponds to it element by element in row-major order;
a smaller one is repeated along some axes (:class:`~ipusim.ir.expression.Pattern`). Arithmetic is in float32,
transcendental functions in float64 (:mod:`ipusim.kernels.functions`); the result is rounded once more to float16 where
that is its format.
"""

from __future__ import annotations

from functools import partial
from math import inf, sqrt

import numpy as np
from numpy.typing import NDArray

from ipusim.ir.regions import IntArray, Regions
from ipusim.kernels.curves import curve, random_word
from ipusim.kernels.elementwise import advance, finish, in_long_rows, locate
from ipusim.kernels.functions import (
    error_function,
    exponential,
    gaussian_unit,
    gaussian_unit_tanh,
    hyperbolic_tangent,
    logarithm,
    logistic,
    power,
)
from ipusim.kernels.jit import inner_kernel, kernel
from ipusim.kernels.packing import F32Array
from ipusim.kernels.scalars import span
from ipusim.kernels.slopes import slope
from ipusim.kernels.workers import Done, Workers

FUNCTIONS = (
    "add",
    "subtract",
    "multiply",
    "divide",
    "maximum",
    "minimum",
    "relu",
    "negate",
    "abs",
    "square",
    "sqrt",
    "rsqrt",
    "scale_shift",
    "exp",
    "log",
    "sigmoid",
    "tanh",
    "swish",
    "gelu",
    "gelu_erf",
    "erf",
    "power",
    "inverse",
    "equal",
    "less",
    "less_equal",
    "greater",
    "greater_equal",
    "clip",
    "leaky_relu",
    "elu",
    "hard_sigmoid",
    "hard_swish",
    "softplus",
    "sin",
    "cos",
    "floor",
    "ceil",
    "round",
    "sign",
    "dropout",
    "select",
    "relu_gradient",
    "sigmoid_gradient",
    "tanh_gradient",
    "gelu_gradient",
    "gelu_erf_gradient",
    "swish_gradient",
)
"""Names of the functions; a kernel knows them by their number."""

NUMBER = {name: number for number, name in enumerate(FUNCTIONS)}

_ADD, _SUBTRACT, _MULTIPLY, _DIVIDE, _MAXIMUM, _MINIMUM = range(6)
_RELU, _NEGATE, _ABS, _SQUARE, _SQRT, _RSQRT, _SCALE_SHIFT = range(6, 13)
_EXP, _LOG, _SIGMOID, _TANH, _SWISH, _GELU, _GELU_ERF, _ERF, _POWER, _INVERSE = range(13, 23)
_EQUAL, _LESS, _LESS_EQUAL, _GREATER, _GREATER_EQUAL, _CLIP = range(23, 29)
_DROPOUT, _SELECT, _RELU_GRADIENT = range(40, 43)

_ZERO, _ONE = np.float32(0.0), np.float32(1.0)

F64Array = NDArray[np.float64]


def map_regions(
    function: str,
    out: F32Array,
    out_regions: Regions,
    operands: tuple[F32Array, ...],
    patterns: tuple[IntArray, ...],
    workers: Workers,
    constants: tuple[float, ...] = (),
    half: bool = False,
    done: Done | None = None,
) -> None:
    """Compute a function on the regions of all vertices.

    Parameters
    ----------
    function : str
        One of :data:`FUNCTIONS`.
    out : float32 array [groups, rows, cols]
    out_regions : Regions [n]
    operands : one to three float32 arrays, flat
    patterns : int64 arrays [axes, 2]
        For each operand: extents of the result's axes, outermost first, and the operand's distance between neighbours
        along each; no axes for an operand that corresponds element by element.
    workers : Workers
    constants : tuple of float
        Of the function: exponent, scale and shift, bounds, slope, or probability and seed.
    half : bool
        The result is rounded to float16.
    done : callable, optional
        Told which fraction of the work is done.
    """
    first, second, third = operands[0], operands[len(operands) // 2], operands[-1]
    numbers = np.zeros(2)
    numbers[: len(constants)] = constants
    out, out_regions = in_long_rows(out, out_regions)
    task = partial(
        _map_range,
        NUMBER[function],
        numbers,
        out,
        out_regions.box,
        out_regions.begin,
        out_regions.end,
        first,
        patterns[0],
        second,
        patterns[len(patterns) // 2],
        third,
        patterns[-1],
        half,
    )
    workers.run(task, len(out_regions), done)


@kernel
def _map_range(
    how: int,
    constants: F64Array,
    out: F32Array,
    out_box: IntArray,
    out_begin: IntArray,
    out_end: IntArray,
    left: F32Array,
    left_pattern: IntArray,
    right: F32Array,
    right_pattern: IntArray,
    other: F32Array,
    other_pattern: IntArray,
    half: bool,
    first: int,
    last: int,
) -> None:
    """Compute the vertices ``first:last`` (see :func:`map_regions`)."""
    for vertex in range(first, last):
        box, position, end = out_box[vertex], out_begin[vertex], out_end[vertex]
        if position >= end:
            continue
        place = locate(box, position)
        while position < end:
            g, r, c, rest = place
            run = min(rest, end - position)
            position += run
            place = advance(box, place, run)
            if g >= out.shape[0] or r >= out.shape[1] or c >= out.shape[2]:
                continue
            index = (g * out.shape[1] + r) * out.shape[2] + c
            stop = index + min(run, out.shape[2] - c)
            while index < stop:
                left_at, left_step, left_run = _operand_place(left_pattern, index)
                right_at, right_step, right_run = _operand_place(right_pattern, index)
                other_at, other_step, other_run = _operand_place(other_pattern, index)
                n = min(stop - index, left_run, right_run, other_run)
                numbers = span(out.ctypes.data + 4 * index, n)
                lefts = span(left.ctypes.data + 4 * left_at, n)
                rights = span(right.ctypes.data + 4 * right_at, n)
                if how <= _DIVIDE and left_step == 1 and right_step <= 1:
                    if right_step == 1:
                        _side_by_side(how, numbers, lefts, rights)
                    else:
                        _with_number(how, numbers, lefts, rights[0])
                elif how <= _MINIMUM:
                    _binary(how, numbers, lefts, left_step, rights, right_step)
                elif how <= _SCALE_SHIFT:
                    _plain(how, constants, numbers, lefts)
                elif how <= _INVERSE:
                    _transcendental(how, constants[0], numbers, lefts)
                elif how <= _GREATER_EQUAL:
                    _compare(how, numbers, lefts, left_step, rights, right_step)
                elif how < _DROPOUT:
                    for i in range(n):
                        numbers[i] = np.float32(curve(how - _CLIP, constants[0], constants[1], np.float64(lefts[i])))
                elif how == _DROPOUT:
                    _drop(constants[0], int(constants[1]), numbers, lefts, index)
                elif how == _RELU_GRADIENT and left_step == 1 and right_step == 1:
                    for i in range(n):
                        numbers[i] = (_ONE if lefts[i] > _ZERO else _ZERO) * rights[i]
                elif how >= _RELU_GRADIENT:
                    for i in range(n):
                        steep = slope(how - _RELU_GRADIENT, np.float64(lefts[i * left_step]))
                        numbers[i] = np.float32(steep * np.float64(rights[i * right_step]))
                else:
                    others = span(other.ctypes.data + 4 * other_at, n)
                    for i in range(n):
                        chosen = rights[i * right_step] if lefts[i * left_step] != _ZERO else others[i * other_step]
                        numbers[i] = chosen
                finish(numbers, half)
                index += n


@inner_kernel
def _operand_place(pattern: IntArray, index: int) -> tuple[int, int, int]:
    """Return where an operand's element for element `index` of the result is, its step, and for how many it holds."""
    axes = len(pattern)
    if axes == 0:
        return index, 1, 1 << 62
    extent, step = pattern[axes - 1]
    place = index % extent
    at, rest, run = place * step, index // extent, extent - place
    for axis in range(axes - 2, -1, -1):
        at += rest % pattern[axis, 0] * pattern[axis, 1]
        rest //= pattern[axis, 0]
    return at, step, run


@inner_kernel
def _side_by_side(how: int, out: F32Array, left: F32Array, right: F32Array) -> None:
    """Compute what :func:`_binary` does with operands that are not repeated: in whole vectors."""
    if how == _ADD:
        for i in range(len(out)):
            out[i] = left[i] + right[i]
    elif how == _SUBTRACT:
        for i in range(len(out)):
            out[i] = left[i] - right[i]
    elif how == _MULTIPLY:
        for i in range(len(out)):
            out[i] = left[i] * right[i]
    else:
        for i in range(len(out)):
            out[i] = left[i] / right[i]


@inner_kernel
def _with_number(how: int, out: F32Array, left: F32Array, number: np.float32) -> None:
    """Compute what :func:`_binary` does with a right operand of a single number: in whole vectors."""
    if how == _ADD:
        for i in range(len(out)):
            out[i] = left[i] + number
    elif how == _SUBTRACT:
        for i in range(len(out)):
            out[i] = left[i] - number
    elif how == _MULTIPLY:
        for i in range(len(out)):
            out[i] = left[i] * number
    else:
        for i in range(len(out)):
            out[i] = left[i] / number


@inner_kernel
def _binary(how: int, out: F32Array, left: F32Array, left_step: int, right: F32Array, right_step: int) -> None:
    if how == _ADD:
        for i in range(len(out)):
            out[i] = left[i * left_step] + right[i * right_step]
    elif how == _SUBTRACT:
        for i in range(len(out)):
            out[i] = left[i * left_step] - right[i * right_step]
    elif how == _MULTIPLY:
        for i in range(len(out)):
            out[i] = left[i * left_step] * right[i * right_step]
    elif how == _DIVIDE:
        for i in range(len(out)):
            out[i] = left[i * left_step] / right[i * right_step]
    elif how == _MAXIMUM:
        for i in range(len(out)):
            a, b = left[i * left_step], right[i * right_step]
            out[i] = a if a >= b or a != a else b
    else:
        for i in range(len(out)):
            a, b = left[i * left_step], right[i * right_step]
            out[i] = a if a <= b or a != a else b


@inner_kernel
def _compare(how: int, out: F32Array, left: F32Array, left_step: int, right: F32Array, right_step: int) -> None:
    """Set 1 where a comparison holds, 0 elsewhere."""
    for i in range(len(out)):
        a, b = left[i * left_step], right[i * right_step]
        if how == _EQUAL:
            holds = a == b
        elif how == _LESS:
            holds = a < b
        elif how == _LESS_EQUAL:
            holds = a <= b
        elif how == _GREATER:
            holds = a > b
        else:
            holds = a >= b
        out[i] = _ONE if holds else _ZERO


@inner_kernel
def _drop(probability: float, seed: int, out: F32Array, x: F32Array, first: int) -> None:
    """Set 0 with a probability, which the place of an element decides, and scale what is kept."""
    limit, scale = probability * 4294967296.0, 1.0 / (1.0 - probability)
    for i in range(len(out)):
        kept = float(random_word(seed, first + i)) >= limit
        out[i] = np.float32(np.float64(x[i]) * scale) if kept else _ZERO


@inner_kernel
def _plain(how: int, constants: F64Array, out: F32Array, x: F32Array) -> None:
    if how == _RELU:
        for i in range(len(out)):
            out[i] = _ZERO if x[i] <= _ZERO else x[i]
    elif how == _NEGATE:
        for i in range(len(out)):
            out[i] = -x[i]
    elif how == _ABS:
        for i in range(len(out)):
            out[i] = abs(x[i])
    elif how == _SQUARE:
        for i in range(len(out)):
            out[i] = x[i] * x[i]
    elif how == _SQRT:
        for i in range(len(out)):
            out[i] = np.float32(sqrt(np.float64(x[i]))) if x[i] >= _ZERO else np.float32(np.nan)
    elif how == _RSQRT:
        for i in range(len(out)):
            out[i] = np.float32(_inverse_root(np.float64(x[i])))
    else:
        scale, shift = constants[0], constants[1]
        for i in range(len(out)):
            out[i] = np.float32(np.float64(x[i]) * scale + shift)


@inner_kernel
def _inverse_root(x: float) -> float:
    if x > 0.0:
        return 1.0 / sqrt(x)
    return inf if x == 0.0 else np.nan


@inner_kernel
def _transcendental(how: int, exponent: float, out: F32Array, x: F32Array) -> None:
    if how == _EXP:
        for i in range(len(out)):
            out[i] = np.float32(exponential(np.float64(x[i])))
    elif how == _LOG:
        for i in range(len(out)):
            out[i] = np.float32(logarithm(np.float64(x[i])))
    elif how == _SIGMOID:
        for i in range(len(out)):
            out[i] = np.float32(logistic(np.float64(x[i])))
    elif how == _TANH:
        for i in range(len(out)):
            out[i] = np.float32(hyperbolic_tangent(np.float64(x[i])))
    elif how == _SWISH:
        for i in range(len(out)):
            out[i] = np.float32(np.float64(x[i]) * logistic(np.float64(x[i]))) if x[i] != -np.inf else -_ZERO
    elif how == _GELU:
        for i in range(len(out)):
            out[i] = np.float32(gaussian_unit_tanh(np.float64(x[i])))
    elif how == _GELU_ERF:
        for i in range(len(out)):
            out[i] = np.float32(gaussian_unit(np.float64(x[i])))
    elif how == _ERF:
        for i in range(len(out)):
            out[i] = np.float32(error_function(np.float64(x[i])))
    elif how == _POWER:
        for i in range(len(out)):
            out[i] = np.float32(power(np.float64(x[i]), exponent))
    else:
        for i in range(len(out)):
            out[i] = _ONE / x[i]
