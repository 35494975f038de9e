"""Rounding to float16 inside kernels."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from llvmlite import ir
from numba import types

from ipusim.kernels.jit import intrinsic


@intrinsic
def half_grid(_typing: Any, _value: Any) -> Any:
    """Return a float32 rounded to the nearest float16, ties to even; subnormals are kept, overflow gives infinity."""

    def generate(_context: Any, builder: ir.IRBuilder, _signature: Any, arguments: Sequence[ir.Value]) -> ir.Value:
        return builder.fpext(builder.fptrunc(arguments[0], ir.HalfType()), ir.FloatType())

    return types.float32(types.float32), generate
