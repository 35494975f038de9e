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
from ipusim.kernels.random_halves import stochastic_halves
from ipusim.kernels.scalars import LINE_BYTES, NEAREST, STOCHASTIC, declared, emit_fetch

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
    rounding: ir.Value
    left: ir.Value
    right: ir.Value
    begun: ir.Value
    source: ir.Value
    source_stride: ir.Value
    target: ir.Value
    target_stride: ir.Value
    depth: ir.Value
    group: ir.Value
    next_left: ir.Value
    next_right: ir.Value
    number: ir.Value
    pitch: ir.Value
    step: ir.Value
    key: ir.Value


@intrinsic
def tile_product(
    _typing: Any,
    units: Any,
    vectors: Any,
    rounding: Any,
    left: Any,
    right: Any,
    begun: Any,
    source: Any,
    source_stride: Any,
    target: Any,
    target_stride: Any,
    depth: Any,
    group: Any,
    next_left: Any,
    next_right: Any,
    number: Any,
    pitch: Any,
    step: Any,
    key: Any,
) -> Any:
    """Multiply a packed panel of rows with a packed panel of columns, and add the products to a tile of sums.

    Parameters
    ----------
    units, vectors : int
        The tile has ``units * UNIT_ROWS`` rows (1 to 3 units) and ``vectors * LANES`` columns (1 or 2 vectors).
    rounding : int
        After every `group` products, and after the last, round the sums to float16: not (0), to nearest (1), or
        stochastic (2).
    left, right : int
        Addresses of float32 panels ``[depth, rows]`` and ``[depth, columns]``.
    begun : bool
        Start from the sums at `source`; else from zero.
    source, target : int
        Addresses of the float32 tiles ``[rows, columns]`` where the sums are and where they go.
    source_stride, target_stride : int
        Elements between the starts of two rows of the tiles.
    depth, group : int
        Products of each element; products between two roundings; both at least 1. Without rounding `group` is best
        as large as `depth`.
    next_left, next_right : int
        Addresses of what is wanted next. As much as a panel of rows, and a cache line for each step of depth, are
        fetched into the cache on the way.
    number, pitch : int
        For stochastic rounding: number of the first element of the tile in the result, and of a row of it.
    step, key : int
        How often the sums were rounded before; 64 bits that choose the random bits.

    Notes
    -----
    A NaN result always has the same bits, since the sign of one that an operation makes differs between processors.
    """
    sides = [types.intp] * 2
    signature = types.void(*sides, types.intp, *sides, types.boolean, *sides, *sides, *[types.intp] * 8)

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
    names = ("load", "group", "depth", "after", "round", "random", "latch", "store")
    load, outer, inner, after, narrow, random, latch, store = (builder.append_basic_block(name) for name in names)
    zero = ir.Constant(_VECTOR, None)
    builder.cbranch(given.begun, load, outer)

    builder.position_at_end(load)
    sources = _places(builder, rows, vectors, given.source, given.source_stride)
    loaded = [builder.load(place, align=_FLOAT_BYTES) for place in sources]
    builder.branch(outer)

    builder.position_at_end(outer)
    remaining, step, *addresses = (
        _phi(builder, _I64, (value, before), (value, load))
        for value in (given.depth, given.step, given.left, given.right, given.next_left, given.next_right)
    )
    start = [_phi(builder, _VECTOR, (zero, before), (value, load)) for value in loaded]
    products = builder.select(builder.icmp_signed("<", remaining, given.group), remaining, given.group)
    builder.branch(inner)

    builder.position_at_end(inner)
    countdown = _phi(builder, _I64, (products, outer))
    left, right, next_left, next_right = moving = [_phi(builder, _I64, (value, outer)) for value in addresses]
    sums = [_phi(builder, _VECTOR, (value, outer)) for value in start]
    added = _multiply_add(builder, rows, vectors, left, right, sums)
    emit_fetch(builder, next_left)
    emit_fetch(builder, next_right)
    step_bytes = [rows * _FLOAT_BYTES, vectors * LANES * _FLOAT_BYTES, rows * _FLOAT_BYTES, LINE_BYTES]
    moved = [builder.add(value, _int(step)) for value, step in zip(moving, step_bytes, strict=True)]
    count_next = builder.sub(countdown, _int(1))
    builder.cbranch(builder.icmp_signed(">", count_next, _int(0)), inner, after)
    for phi, value in zip([countdown, *moving, *sums], [count_next, *moved, *added], strict=True):
        phi.add_incoming(value, inner)

    builder.position_at_end(after)
    how = builder.switch(given.rounding, latch)
    how.add_case(_int(NEAREST), narrow)
    how.add_case(_int(STOCHASTIC), random)

    builder.position_at_end(narrow)
    halves = [builder.fpext(builder.fptrunc(value, _HALVES), _VECTOR) for value in added]
    builder.branch(latch)

    builder.position_at_end(random)
    numbers = [builder.add(given.number, builder.mul(given.pitch, _int(row))) for row in range(rows)]
    drawn = []
    for i, value in enumerate(added):
        first = builder.add(numbers[i // vectors], _int(i % vectors * LANES))
        drawn.append(stochastic_halves(builder, value, first, step, given.key))
    builder.branch(latch)

    builder.position_at_end(latch)
    kept = [
        _phi(builder, _VECTOR, (wide, after), (half, narrow), (either, random))
        for wide, half, either in zip(added, halves, drawn, strict=True)
    ]
    step_next = builder.add(step, _int(1))
    left_over = builder.sub(remaining, products)
    builder.cbranch(builder.icmp_signed(">", left_over, _int(0)), outer, store)
    for phi, value in zip([remaining, step, *addresses, *start], [left_over, step_next, *moved, *kept], strict=True):
        phi.add_incoming(value, latch)

    builder.position_at_end(store)
    nan = ir.Constant(_VECTOR, [float("nan")] * LANES)
    targets = _places(builder, rows, vectors, given.target, given.target_stride)
    for value, place in zip(kept, targets, strict=True):
        number = builder.select(builder.fcmp_unordered("uno", value, value), nan, value)
        builder.store(number, place, align=_FLOAT_BYTES)


def _multiply_add(
    builder: ir.IRBuilder, rows: int, vectors: int, left: ir.Value, right: ir.Value, sums: list[ir.Value]
) -> list[ir.Value]:
    """Emit one step of depth: every row's number, repeated over a vector, times every vector of columns."""
    name = f"llvm.fma.v{LANES}f32"
    fma = declared(builder, ir.FunctionType(_VECTOR, [_VECTOR] * 3), name)
    undefined = ir.Constant(_VECTOR, ir.Undefined)
    columns = [builder.load(_pointer(builder, right, j * LANES, _VECTOR), align=_FLOAT_BYTES) for j in range(vectors)]
    added = []
    for row in range(rows):
        number = builder.load(_pointer(builder, left, row, _F32), align=_FLOAT_BYTES)
        first = builder.insert_element(undefined, number, ir.Constant(ir.IntType(32), 0))
        repeated = builder.shuffle_vector(first, undefined, ir.Constant(_LANE_INDEX, None))
        added += [builder.call(fma, [repeated, columns[j], sums[row * vectors + j]]) for j in range(vectors)]
    return added


def _places(builder: ir.IRBuilder, rows: int, vectors: int, start: ir.Value, stride: ir.Value) -> list[ir.Value]:
    """Emit the addresses of a tile's vectors, row after row."""
    row_bytes = builder.mul(stride, _int(_FLOAT_BYTES))
    starts = [builder.add(start, builder.mul(row_bytes, _int(row))) for row in range(rows)]
    return [_pointer(builder, place, j * LANES, _VECTOR) for place in starts for j in range(vectors)]


def _pointer(builder: ir.IRBuilder, address: ir.Value, elements: int, kind: ir.Type) -> ir.Value:
    return builder.inttoptr(builder.add(address, _int(elements * _FLOAT_BYTES)), kind.as_pointer())


def _phi(builder: ir.IRBuilder, kind: ir.Type, *incoming: tuple[ir.Value, ir.Block]) -> ir.PhiInstr:
    phi = builder.phi(kind)
    for value, block in incoming:
        phi.add_incoming(value, block)
    return phi


def _int(value: int) -> ir.Constant:
    return ir.Constant(_I64, value)
