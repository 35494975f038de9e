"""Dot products as LLVM vector code: lanes of fused multiply-adds, added up in the same order on every machine."""

# ruff: noqa: ARG001 -- numba reads the names of the operands of an intrinsic
from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from llvmlite import ir
from numba import types

from ipusim.kernels.jit import intrinsic
from ipusim.kernels.scalars import declared

DOT_LANES = 16
"""Products that are added up apart, whatever the width of the machine's vectors."""

DOTS = 4
"""Dot products with one left operand that are computed at once."""

_I64, _F32 = ir.IntType(64), ir.FloatType()
_VECTOR = ir.VectorType(_F32, DOT_LANES)
_FLOAT_BYTES, _ADDRESS_BYTES = 4, 8


@intrinsic
def dots(_typing: Any, several: Any, left: Any, rights: Any, chunks: Any, target: Any) -> Any:
    """Multiply a vector with :data:`DOTS` others, or with one.

    Parameters
    ----------
    several : bool
        Whether there are :data:`DOTS` right operands rather than one.
    left : int
        Address of the left operand (float32).
    rights : int
        Address of the addresses (int64) of the right operands.
    chunks : int
        Their length in :data:`DOT_LANES`; at least 1.
    target : int
        Address of the results (float32).

    Notes
    -----
    Lane ``i`` adds up the products number ``i``, ``i + 16``, ... in float32, one fused multiply-add after the other;
    then the upper half of the lanes is added to the lower one until one is left.
    """
    signature = types.void(types.boolean, *[types.intp] * 4)

    def generate(context: Any, builder: ir.IRBuilder, _signature: Any, arguments: Sequence[ir.Value]) -> ir.Value:
        many = builder.trunc(arguments[0], ir.IntType(1))
        shapes = [(DOTS, builder.append_basic_block("several")), (1, builder.append_basic_block("single"))]
        end = builder.append_basic_block("dots_done")
        builder.cbranch(many, shapes[0][1], shapes[1][1])
        for count, block in shapes:
            builder.position_at_end(block)
            _generate(builder, count, *arguments[1:])
            builder.branch(end)
        builder.position_at_end(end)
        return context.get_dummy_value()

    return signature, generate


def _generate(
    builder: ir.IRBuilder, count: int, left: ir.Value, rights: ir.Value, chunks: ir.Value, target: ir.Value
) -> None:
    before = builder.block
    fma = declared(builder, ir.FunctionType(_VECTOR, [_VECTOR] * 3), f"llvm.fma.v{DOT_LANES}f32")
    addresses = [
        builder.load(builder.inttoptr(_add(builder, rights, i * _ADDRESS_BYTES), _I64.as_pointer()))
        for i in range(count)
    ]
    loop, done = builder.append_basic_block("products"), builder.append_basic_block("lanes")
    builder.branch(loop)

    builder.position_at_end(loop)
    chunk = builder.phi(_I64)
    chunk.add_incoming(ir.Constant(_I64, 0), before)
    sums = [builder.phi(_VECTOR) for _ in range(count)]
    offset = builder.mul(chunk, ir.Constant(_I64, DOT_LANES * _FLOAT_BYTES))
    number = _load(builder, builder.add(left, offset))
    following = builder.add(chunk, ir.Constant(_I64, 1))
    added = [
        builder.call(fma, [number, _load(builder, builder.add(address, offset)), total])
        for address, total in zip(addresses, sums, strict=True)
    ]
    chunk.add_incoming(following, loop)
    for total, new in zip(sums, added, strict=True):
        total.add_incoming(ir.Constant(_VECTOR, None), before)
        total.add_incoming(new, loop)
    builder.cbranch(builder.icmp_signed("<", following, chunks), loop, done)

    builder.position_at_end(done)
    for i, total in enumerate(added):
        place = builder.inttoptr(_add(builder, target, i * _FLOAT_BYTES), _F32.as_pointer())
        builder.store(_folded(builder, total), place, align=_FLOAT_BYTES)


def _folded(builder: ir.IRBuilder, lanes: ir.Value) -> ir.Value:
    """Emit the sum of all lanes: halves are added up until one lane is left."""
    width = DOT_LANES
    while width > 1:
        width //= 2
        kind = ir.VectorType(ir.IntType(32), width)
        undefined = ir.Constant(lanes.type, ir.Undefined)
        low = builder.shuffle_vector(lanes, undefined, ir.Constant(kind, list(range(width))))
        high = builder.shuffle_vector(lanes, undefined, ir.Constant(kind, list(range(width, 2 * width))))
        lanes = builder.fadd(low, high)
    return builder.extract_element(lanes, ir.Constant(ir.IntType(32), 0))


def _load(builder: ir.IRBuilder, address: ir.Value) -> ir.Value:
    return builder.load(builder.inttoptr(address, _VECTOR.as_pointer()), align=_FLOAT_BYTES)


def _add(builder: ir.IRBuilder, address: ir.Value, n_bytes: int) -> ir.Value:
    return builder.add(address, ir.Constant(_I64, n_bytes))
