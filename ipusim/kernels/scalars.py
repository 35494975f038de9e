"""Operations that Numba lacks: rounding to float16, fetching memory into the cache ahead of its use, plain spans."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from llvmlite import ir
from numba import types
from numba.np.arrayobj import populate_array

from ipusim.kernels.jit import intrinsic

FLOAT32, NEAREST, STOCHASTIC = 0, 1, 2
"""How sums are rounded in the course of a product: not beyond float32, or to float16 in one of two ways."""

LINE_BYTES = 64
"""What one fetch brings into the cache."""


@intrinsic
def half_grid(_typing: Any, _value: Any) -> Any:
    """Return a float32 rounded to the nearest float16, ties to even; subnormals are kept, overflow gives infinity."""

    def generate(_context: Any, builder: ir.IRBuilder, _signature: Any, arguments: Sequence[ir.Value]) -> ir.Value:
        return builder.fpext(builder.fptrunc(arguments[0], ir.HalfType()), ir.FloatType())

    return types.float32(types.float32), generate


@intrinsic
def fetch(_typing: Any, _address: Any) -> Any:
    """Begin to load the cache line at an address, which may be any number."""

    def generate(context: Any, builder: ir.IRBuilder, _signature: Any, arguments: Sequence[ir.Value]) -> ir.Value:
        emit_fetch(builder, arguments[0])
        return context.get_dummy_value()

    return types.void(types.intp), generate


@intrinsic
def span(_typing: Any, _address: Any, _length: Any) -> Any:
    """Return the float32 array [length] at an address.

    Unlike a slice it counts no references, which costs more than copying a short row; whoever owns the memory has to
    keep it. A negative length is taken as 0.
    """
    kind = types.Array(types.float32, 1, "C")

    def generate(context: Any, builder: ir.IRBuilder, _signature: Any, arguments: Sequence[ir.Value]) -> ir.Value:
        array = context.make_array(kind)(context, builder)
        address, length = arguments
        zero, itemsize = ir.Constant(length.type, 0), ir.Constant(length.type, 4)
        held = builder.select(builder.icmp_signed("<", length, zero), zero, length)
        data = builder.inttoptr(address, array.data.type)
        populate: Any = populate_array
        populate(array, data=data, shape=[held], strides=[itemsize], itemsize=itemsize, meminfo=None)
        return array._getvalue()

    return kind(types.intp, types.intp), generate


@intrinsic
def borrowed(_typing: Any, array: Any) -> Any:
    """Return an array without counting references: neither to it nor to its slices, nor when a tuple with it is read.

    Each of these takes as long as ten additions. Whoever owns the memory has to keep it.
    """

    def generate(context: Any, builder: ir.IRBuilder, _signature: Any, arguments: Sequence[ir.Value]) -> ir.Value:
        view = context.make_array(array)(context, builder, value=arguments[0])
        view.meminfo = ir.Constant(view.meminfo.type, None)
        view.parent = ir.Constant(view.parent.type, None)
        return view._getvalue()

    return array(array), generate


def emit_fetch(builder: ir.IRBuilder, address: ir.Value) -> None:
    """Emit a prefetch for reading into the second-level cache."""
    byte, flag = ir.IntType(8).as_pointer(), ir.IntType(32)
    prefetch = declared(builder, ir.FunctionType(ir.VoidType(), [byte, flag, flag, flag]), "llvm.prefetch.p0")
    read, second_level, data = (ir.Constant(flag, value) for value in (0, 2, 1))
    builder.call(prefetch, [builder.inttoptr(address, byte), read, second_level, data])


def declared(builder: ir.IRBuilder, kind: ir.FunctionType, name: str) -> ir.Function:
    """Return LLVM's operation called `name`, declared once in the module."""
    return builder.module.globals.get(name) or ir.Function(builder.module, kind, name)


def _reinterpreted(kind: ir.Type) -> Callable[..., ir.Value]:
    """Return what emits that the bits of the only argument are those of a number of another kind."""

    def generate(_context: Any, builder: ir.IRBuilder, _signature: Any, arguments: Sequence[ir.Value]) -> ir.Value:
        return builder.bitcast(arguments[0], kind)

    return generate


@intrinsic
def single_bits(_typing: Any, _value: Any) -> Any:
    """Return the 32 bits of a float32 as an uint32."""
    return types.uint32(types.float32), _reinterpreted(ir.IntType(32))


@intrinsic
def bits_single(_typing: Any, _value: Any) -> Any:
    """Return the float32 that 32 bits stand for."""
    return types.float32(types.uint32), _reinterpreted(ir.FloatType())


@intrinsic
def double_bits(_typing: Any, _value: Any) -> Any:
    """Return the 64 bits of a float64 as an int64."""
    return types.int64(types.float64), _reinterpreted(ir.IntType(64))


@intrinsic
def bits_double(_typing: Any, _value: Any) -> Any:
    """Return the float64 that 64 bits stand for."""
    return types.float64(types.int64), _reinterpreted(ir.DoubleType())


def signed_word(key: int) -> int:
    """Return 64 bits as the signed number that kernels take."""
    key &= (1 << 64) - 1
    return key - (1 << 64) if key >> 63 else key
