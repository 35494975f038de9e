"""Builds the stencil operators: every element of a grid becomes a weighted sum of its neighbourhood, repeatedly."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from itertools import product
from math import isfinite

import numpy as np

from ipusim.files.wording import FieldError, describe
from ipusim.ir.tensor import Tensor
from ipusim.ops.spec import (
    Attrs,
    Choice,
    F64Array,
    OpSpec,
    Real,
    ShapeError,
    TensorType,
    Whole,
    Wholes,
    computed_format,
    shown,
)

BOUNDARIES = ("zero", "constant", "periodic")


@dataclass(frozen=True, slots=True)
class Weights:
    """An attribute that is a block of numbers with an odd extent along each of `rank` axes; required."""

    name: str
    text: str
    rank: int
    default: None = None

    def read(self, value: object) -> object:
        """Return `value` as nested tuples if it is such a block, else raise FieldError."""
        form = " of ".join(["a list", *["lists"] * (self.rank - 1)]) + " of numbers or fractions"
        try:
            block = np.array(_numbers(value), dtype=np.float64)
        except (TypeError, ValueError, ZeroDivisionError):
            raise FieldError(f"expected {form} of equal lengths, found {describe(value)}") from None
        if block.ndim != self.rank:
            raise FieldError(f"expected {form}, found {block.ndim} levels of lists")
        if any(extent % 2 == 0 for extent in block.shape):
            raise FieldError(f"expected odd extents, so that there is a centre, found {list(block.shape)}")
        if not all(isfinite(number) for number in block.ravel()):
            raise FieldError("expected finite numbers")
        return _nested(block.tolist())

    def schema(self) -> dict[str, object]:
        """Return the JSON Schema of the value."""
        schema: dict[str, object] = {"type": ["number", "string"]}
        for _ in range(self.rank):
            schema = {"type": "array", "items": schema}
        return schema | {"description": self.text}


def _numbers(value: object) -> object:
    """Return nested lists with the fractions among them, such as ``1/16``, as numbers."""
    if isinstance(value, (list, tuple)):
        return [_numbers(each) for each in value]
    if isinstance(value, bool):
        raise TypeError
    return float(Fraction(value)) if isinstance(value, str) else value


def _nested(value: object) -> object:
    return tuple(_nested(each) for each in value) if isinstance(value, list) else value


def coefficients_of(attrs: Attrs) -> F64Array:
    """Return the coefficients of a stencil: float64 array with an axis for each of the grid's."""
    return np.array(attrs["coefficients"], dtype=np.float64)


def applied(x: F64Array, coefficients: F64Array, boundary: str, value: float) -> F64Array:
    """Return one application of a stencil to the leading axes of an array, in double precision.

    Parameters
    ----------
    x : float64 array
        With the axes of the coefficients, and perhaps one of channels after them.
    coefficients : float64 array
    boundary : str
        One of :data:`BOUNDARIES`.
    value : float
        Of everything beyond the grid where the boundary is constant.
    """
    radius = [extent // 2 for extent in coefficients.shape]
    around = [(each, each) for each in radius] + [(0, 0)] * (x.ndim - len(radius))
    if boundary == "periodic":
        padded = np.pad(x, around, mode="wrap")
    else:
        padded = np.pad(x, around, constant_values=value if boundary == "constant" else 0.0)
    total = np.zeros_like(x)
    for place in product(*(range(extent) for extent in coefficients.shape)):
        if coefficients[place]:
            window = tuple(slice(at, at + extent) for at, extent in zip(place, x.shape, strict=False))
            total += coefficients[place] * padded[window]
    return total


def stencil(name: str, rank: int) -> OpSpec:
    """Return the stencil operator over `rank` spatial dimensions."""
    axes = ("depth", "height", "width")[-rank:]

    def infer(inputs: tuple[Tensor, ...], attrs: Attrs) -> TensorType:
        (x,) = inputs
        if len(x.shape) not in (rank, rank + 1):
            form = f"[{', '.join(axes)}] or [{', '.join(axes)}, channels]"
            raise ShapeError(f"{name} needs {form}, but {shown(x)} has {len(x.shape)} dimensions", operand=0)
        extents = coefficients_of(attrs).shape
        if any(reach > extent for reach, extent in zip(extents, x.shape, strict=False)):
            raise ShapeError(
                f"{shown(x)} is smaller than the coefficients {list(extents)}", operand=0, attribute="coefficients"
            )
        grid = attrs["grid"]
        assert isinstance(grid, tuple)
        if grid and (len(grid) != rank or min(grid) < 1):
            raise ShapeError(f"grid {list(grid)} does not have {rank} positive numbers of parts", attribute="grid")
        return TensorType(x.shape, computed_format(x.dtype))

    def flops(
        _inputs: tuple[Tensor, ...], outputs: tuple[Tensor, ...], attrs: Attrs, _nonzeros: tuple[int, ...]
    ) -> int:
        taps = int(np.count_nonzero(coefficients_of(attrs)))
        return 2 * taps * outputs[0].n_elements * int(str(attrs["repeat"]))

    def reference(arrays: tuple[F64Array, ...], attrs: Attrs) -> F64Array:
        (x,) = arrays
        for _ in range(int(str(attrs["repeat"]))):
            x = applied(x, coefficients_of(attrs), str(attrs["boundary"]), float(str(attrs["value"])))
        return x

    return OpSpec(
        name=name,
        summary=f"Weighted sum of the neighbourhood of every element over {rank} dimensions, channels last",
        inputs=("x",),
        infer=infer,
        flops=flops,
        reference=reference,
        attributes=(
            Weights("coefficients", "Factor of every neighbour; odd extents, the element itself in the centre", rank),
            Choice("boundary", "What lies beyond the grid", choices=BOUNDARIES, default="zero"),
            Real("value", "Of everything beyond the grid where the boundary is constant", 0.0),
            Whole("repeat", "Applications, each to the result of the one before", 1, least=1),
            Choice("vectors", "Compute with vectors of channels", choices=("auto", "none"), default="auto"),
            Wholes(
                "grid",
                "Parts of every axis over the tiles; by default, and where there are fewer tiles, the quickest",
                (),
            ),
        ),
    )
