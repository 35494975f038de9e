"""The inner loop of every dense product, as LLVM vector code: a few rows times a few vectors of columns in registers.

Every element of the result is one chain of fused multiply-adds in ascending order of depth, each rounded once to
float32, whatever the shape of the register tile. The bytes of a result therefore do not depend on the instruction set
of the machine, and neither on how the work is cut up.
"""

# ruff: noqa: ARG001 -- numba reads the names of the operands of an intrinsic
from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from llvmlite import ir
from numba import types

from ipusim.kernels.jit import host, intrinsic

_WIDE = "avx512f" in host()[1]

LANES = 16 if _WIDE else 8
"""Columns of one vector: a 512-bit register, or two 128-bit ones where there is no wider unit."""

UNIT_ROWS = 4 if _WIDE else 2
"""Panels of rows are one, two or three times this high."""

ROWS = 3 * UNIT_ROWS
"""Rows of a full register tile: with two vectors of columns it leaves registers for the operands (32 or 16 in all)."""

COLUMNS = 2 * LANES
"""Columns of a full register tile."""

_I64, _F32 = ir.IntType(64), ir.FloatType()
_VECTOR, _HALVES = ir.VectorType(_F32, LANES), ir.VectorType(ir.HalfType(), LANES)
_LANE_INDEX = ir.VectorType(ir.IntType(32), LANES)
_FLOAT_BYTES = 4


class _Arguments(NamedTuple):
    rounded: ir.Value
    left: ir.Value
    right: ir.Value
    sums: ir.Value
    depth: ir.Value
    group: ir.Value
    ahead: ir.Value


@intrinsic
def tile_product(
    _typing: Any,
    units: Any,
    vectors: Any,
    rounded: Any,
    left: Any,
    right: Any,
    sums: Any,
    depth: Any,
    group: Any,
    ahead: Any,
) -> Any:
    """Add the product of a packed panel of rows and a packed panel of columns to a tile of sums.

    Parameters
    ----------
    units, vectors : int
        The tile has ``units * UNIT_ROWS`` rows (1 to 3 units) and ``vectors * LANES`` columns (1 or 2 vectors).
    rounded : bool
        Round the sums to float16 after every `group` products, and after the last.
    left, right : int
        Addresses of float32 panels ``[depth, rows]`` and ``[depth, columns]``.
    sums : int
        Address of the float32 tile ``[rows, columns]``.
    depth, group : int
        Products of each element; products between two roundings; both at least 1. Without rounding `group` is best
        as large as `depth`.
    ahead : int
        Address of the panel of rows that is wanted next; it is fetched into the cache on the way.

    Notes
    -----
    A NaN result always has the same bits, since the sign of one that an operation makes differs between processors.
    """
    signature = types.void(types.intp, types.intp, types.boolean, *[types.intp] * 6)

    def generate(context: Any, builder: ir.IRBuilder, _signature: Any, arguments: Sequence[ir.Value]) -> ir.Value:
        count, width = arguments[:2]
        end = builder.append_basic_block("tile_done")
        switch = builder.switch(builder.add(builder.mul(count, _int(2)), width), end)
        for n_units, n_vectors in ((i, j) for i in (1, 2, 3) for j in (1, 2)):
            block = builder.append_basic_block("tile")
            switch.add_case(_int(n_units * 2 + n_vectors), block)
            builder.position_at_end(block)
            _generate_tile(builder, n_units * UNIT_ROWS, n_vectors, _Arguments(*arguments[2:]))
            builder.branch(end)
        builder.position_at_end(end)
        return context.get_dummy_value()

    return signature, generate


def _generate_tile(builder: ir.IRBuilder, rows: int, vectors: int, given: _Arguments) -> None:
    """Emit the code of one tile shape: load the sums, loop over groups and depth, store the sums."""
    before = builder.block
    outer, inner, after, narrow, latch, store = (
        builder.append_basic_block(name) for name in ("group", "depth", "after", "round", "latch", "store")
    )
    places = [_pointer(builder, given.sums, i * LANES, _VECTOR) for i in range(rows * vectors)]
    loaded = [builder.load(place, align=_FLOAT_BYTES) for place in places]
    builder.branch(outer)

    builder.position_at_end(outer)
    remaining = _phi(builder, _I64, (given.depth, before))
    left_start = _phi(builder, _I64, (given.left, before))
    right_start = _phi(builder, _I64, (given.right, before))
    ahead_start = _phi(builder, _I64, (given.ahead, before))
    start = [_phi(builder, _VECTOR, (value, before)) for value in loaded]
    products = builder.select(builder.icmp_signed("<", remaining, given.group), remaining, given.group)
    builder.branch(inner)

    builder.position_at_end(inner)
    countdown = _phi(builder, _I64, (products, outer))
    left = _phi(builder, _I64, (left_start, outer))
    right = _phi(builder, _I64, (right_start, outer))
    ahead = _phi(builder, _I64, (ahead_start, outer))
    sums = [_phi(builder, _VECTOR, (value, outer)) for value in start]
    added = _multiply_add(builder, rows, vectors, left, right, sums)
    _fetch(builder, ahead)
    ahead_next = builder.add(ahead, _int(rows * _FLOAT_BYTES))
    left_next = builder.add(left, _int(rows * _FLOAT_BYTES))
    right_next = builder.add(right, _int(vectors * LANES * _FLOAT_BYTES))
    count_next = builder.sub(countdown, _int(1))
    builder.cbranch(builder.icmp_signed(">", count_next, _int(0)), inner, after)
    steps = [countdown, left, right, ahead, *sums]
    for phi, value in zip(steps, [count_next, left_next, right_next, ahead_next, *added], strict=True):
        phi.add_incoming(value, inner)

    builder.position_at_end(after)
    builder.cbranch(given.rounded, narrow, latch)

    builder.position_at_end(narrow)
    halves = [builder.fpext(builder.fptrunc(value, _HALVES), _VECTOR) for value in added]
    builder.branch(latch)

    builder.position_at_end(latch)
    kept = [_phi(builder, _VECTOR, (wide, after), (half, narrow)) for wide, half in zip(added, halves, strict=True)]
    left_over = builder.sub(remaining, products)
    builder.cbranch(builder.icmp_signed(">", left_over, _int(0)), outer, store)
    starts = [remaining, left_start, right_start, ahead_start, *start]
    for phi, value in zip(starts, [left_over, left_next, right_next, ahead_next, *kept], strict=True):
        phi.add_incoming(value, latch)

    builder.position_at_end(store)
    nan = ir.Constant(_VECTOR, [float("nan")] * LANES)
    for value, place in zip(kept, places, strict=True):
        number = builder.select(builder.fcmp_unordered("uno", value, value), nan, value)
        builder.store(number, place, align=_FLOAT_BYTES)


def _multiply_add(
    builder: ir.IRBuilder, rows: int, vectors: int, left: ir.Value, right: ir.Value, sums: list[ir.Value]
) -> list[ir.Value]:
    """Emit one step of depth: every row's number, repeated over a vector, times every vector of columns."""
    name = f"llvm.fma.v{LANES}f32"
    fma = _declared(builder, ir.FunctionType(_VECTOR, [_VECTOR] * 3), name)
    undefined = ir.Constant(_VECTOR, ir.Undefined)
    columns = [builder.load(_pointer(builder, right, j * LANES, _VECTOR), align=_FLOAT_BYTES) for j in range(vectors)]
    added = []
    for row in range(rows):
        number = builder.load(_pointer(builder, left, row, _F32), align=_FLOAT_BYTES)
        first = builder.insert_element(undefined, number, ir.Constant(ir.IntType(32), 0))
        repeated = builder.shuffle_vector(first, undefined, ir.Constant(_LANE_INDEX, None))
        added += [builder.call(fma, [repeated, columns[j], sums[row * vectors + j]]) for j in range(vectors)]
    return added


def _fetch(builder: ir.IRBuilder, address: ir.Value) -> None:
    """Emit a prefetch for reading into the second-level cache."""
    byte = ir.IntType(8).as_pointer()
    kind = ir.FunctionType(ir.VoidType(), [byte, ir.IntType(32), ir.IntType(32), ir.IntType(32)])
    prefetch = _declared(builder, kind, "llvm.prefetch.p0")
    read, second_level, data = (ir.Constant(ir.IntType(32), value) for value in (0, 2, 1))
    builder.call(prefetch, [builder.inttoptr(address, byte), read, second_level, data])


def _declared(builder: ir.IRBuilder, kind: ir.FunctionType, name: str) -> ir.Function:
    """Return LLVM's operation called `name`, declared once in the module."""
    return builder.module.globals.get(name) or ir.Function(builder.module, kind, name)


def _pointer(builder: ir.IRBuilder, address: ir.Value, elements: int, kind: ir.Type) -> ir.Value:
    return builder.inttoptr(builder.add(address, _int(elements * _FLOAT_BYTES)), kind.as_pointer())


def _phi(builder: ir.IRBuilder, kind: ir.Type, *incoming: tuple[ir.Value, ir.Block]) -> ir.PhiInstr:
    phi = builder.phi(kind)
    for value, block in incoming:
        phi.add_incoming(value, block)
    return phi


def _int(value: int) -> ir.Constant:
    return ir.Constant(_I64, value)
