"""The inner loop of sparse products, as LLVM vector code: a row of blocks times the rows of a panel that they meet.

Every element of the result is one chain of fused multiply-adds in float32, block after block and within a block in
ascending order of depth. The bytes of a result therefore do not depend on the instruction set of the machine, and
neither on how many columns are computed at once.
"""

# ruff: noqa: ARG001 -- numba reads the names of the operands of an intrinsic
from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from llvmlite import ir
from numba import types

from ipusim.kernels.jit import host, intrinsic
from ipusim.kernels.random_halves import stochastic_halves
from ipusim.kernels.scalars import FLOAT32, NEAREST, STOCHASTIC, declared

_WIDE = "avx512f" in host()[1]

LANES = 16 if _WIDE else 8
"""Columns of one vector."""

BAND_ROWS = 4
"""Rows of a block that are computed at once."""

BAND_VECTORS = 4 if _WIDE else 2
"""Most vectors of columns that are computed at once for such a band."""

SINGLE_VECTORS = 8
"""Most vectors of columns that are computed at once for a single row."""

_I64, _F32 = ir.IntType(64), ir.FloatType()
_VECTOR, _HALVES = ir.VectorType(_F32, LANES), ir.VectorType(ir.HalfType(), LANES)
_LANE_INDEX = ir.VectorType(ir.IntType(32), LANES)
_FLOAT_BYTES = 4


class _Arguments(NamedTuple):
    rounding: ir.Value
    values: ir.Value
    block_bytes: ir.Value
    row_bytes: ir.Value
    depth: ir.Value
    places: ir.Value
    count: ir.Value
    panel: ir.Value
    line_bytes: ir.Value
    target: ir.Value
    target_bytes: ir.Value
    added: ir.Value
    number: ir.Value
    pitch: ir.Value
    step: ir.Value
    key: ir.Value


@intrinsic
def block_row(
    _typing: Any,
    single: Any,
    vectors: Any,
    rounding: Any,
    values: Any,
    block_bytes: Any,
    row_bytes: Any,
    depth: Any,
    places: Any,
    count: Any,
    panel: Any,
    line_bytes: Any,
    target: Any,
    target_bytes: Any,
    added: Any,
    number: Any,
    pitch: Any,
    step: Any,
    key: Any,
) -> Any:
    """Multiply :data:`BAND_ROWS` rows of a row of blocks with a panel, or the one row of single elements.

    Parameters
    ----------
    single : bool
        Blocks of one element: one row, and `depth` is 1.
    vectors : int
        Vectors of columns: at most :data:`SINGLE_VECTORS` or :data:`BAND_VECTORS`.
    rounding : int
        After every block, or of single elements after the last, round the sums to float16: not (0), to nearest (1), or
        stochastic (2).
    values : int
        Address of the first of these rows in the first block (float32).
    block_bytes, row_bytes : int
        From one block to the next, and from a row of a block to the next.
    depth : int
        Columns of a block, and lines of the panel that a block meets.
    places : int
        Address of the blocks' places (int64): block column ``p`` meets the lines ``p * depth`` and following.
    count : int
        Blocks; at least 1.
    panel, line_bytes : int
        Address of the panel (float32), and bytes of one of its lines.
    target, target_bytes : int
        Address of the results (float32), and from one row of them to the next.
    added : bool
        The sums start with what is there; else with zero.
    number, pitch, step, key : int
        For stochastic rounding: number of the first result in its array and from one row to the next, how often the
        results were rounded before, and 64 bits that choose the random bits.

    Notes
    -----
    A NaN result always has the same bits, since the sign of one that an operation makes differs between processors.
    """
    signature = types.void(types.boolean, *[types.intp] * 12, types.boolean, *[types.intp] * 4)

    def generate(context: Any, builder: ir.IRBuilder, _signature: Any, arguments: Sequence[ir.Value]) -> ir.Value:
        one_row, width = arguments[:2]
        given = _Arguments(*arguments[2:])
        given = given._replace(added=builder.trunc(given.added, ir.IntType(1)))
        end = builder.append_basic_block("row_done")
        key = builder.add(builder.mul(builder.zext(one_row, _I64), _int(SINGLE_VECTORS)), width)
        switch = builder.switch(key, end)
        shapes = [(BAND_ROWS, count, count) for count in range(1, BAND_VECTORS + 1)]
        shapes += [(1, count, count + SINGLE_VECTORS) for count in range(1, SINGLE_VECTORS + 1)]
        for rows, columns, case in shapes:
            block = builder.append_basic_block("shape")
            switch.add_case(_int(case), block)
            builder.position_at_end(block)
            _generate(builder, rows, columns, given)
            builder.branch(end)
        builder.position_at_end(end)
        return context.get_dummy_value()

    return signature, generate


def _generate(builder: ir.IRBuilder, rows: int, vectors: int, given: _Arguments) -> None:
    """Emit the code of one shape: loop over blocks and their depth with the sums in registers, then store them."""
    before = builder.block
    names = ("block", "depth", "after", "round", "random", "latch", "store")
    outer, inner, after, narrow, random, latch, store = (builder.append_basic_block(name) for name in names)
    met_bytes = builder.mul(given.depth, given.line_bytes)
    zero = ir.Constant(_VECTOR, None)
    addresses = [
        _pointer(builder, builder.add(given.target, builder.mul(given.target_bytes, _int(row))), j * LANES, _VECTOR)
        for row in range(rows)
        for j in range(vectors)
    ]
    loaded = [builder.load(address, align=_FLOAT_BYTES) for address in addresses]
    initial = [builder.select(given.added, number, zero) for number in loaded]
    builder.branch(outer)

    builder.position_at_end(outer)
    remaining, values, places, step = (
        _phi(builder, _I64, (value, before)) for value in (given.count, given.values, given.places, given.step)
    )
    start = [_phi(builder, _VECTOR, (number, before)) for number in initial]
    place = builder.load(builder.inttoptr(places, _I64.as_pointer()))
    line_start = builder.add(given.panel, builder.mul(place, met_bytes))
    builder.branch(inner)

    builder.position_at_end(inner)
    left, value, line = (_phi(builder, _I64, (first, outer)) for first in (given.depth, values, line_start))
    sums = [_phi(builder, _VECTOR, (first, outer)) for first in start]
    added = _multiply_add(builder, rows, vectors, value, given.row_bytes, line, sums)
    if rows == 1:
        builder.branch(after)
        moved = [left, value, line]
    else:
        moved = [
            builder.sub(left, _int(1)),
            builder.add(value, _int(_FLOAT_BYTES)),
            builder.add(line, given.line_bytes),
        ]
        builder.cbranch(builder.icmp_signed(">", moved[0], _int(0)), inner, after)
        for phi, following in zip([left, value, line, *sums], [*moved, *added], strict=True):
            phi.add_incoming(following, inner)

    builder.position_at_end(after)
    last = builder.icmp_signed("<=", remaining, _int(1))
    now = given.rounding if rows > 1 else builder.select(last, given.rounding, _int(FLOAT32))
    how = builder.switch(now, latch)
    how.add_case(_int(NEAREST), narrow)
    how.add_case(_int(STOCHASTIC), random)
    builder.position_at_end(narrow)
    halves = [builder.fpext(builder.fptrunc(number, _HALVES), _VECTOR) for number in added]
    builder.branch(latch)

    builder.position_at_end(random)
    numbers = [builder.add(given.number, builder.mul(given.pitch, _int(row))) for row in range(rows)]
    drawn = []
    for i, number in enumerate(added):
        first = builder.add(numbers[i // vectors], _int(i % vectors * LANES))
        drawn.append(stochastic_halves(builder, number, first, step, given.key))
    builder.branch(latch)

    builder.position_at_end(latch)
    kept = [
        _phi(builder, _VECTOR, (wide, after), (half, narrow), (either, random))
        for wide, half, either in zip(added, halves, drawn, strict=True)
    ]
    following = [
        builder.sub(remaining, _int(1)),
        builder.add(values, given.block_bytes),
        builder.add(places, _int(_I64.width // 8)),
        builder.add(step, _int(1)),
    ]
    builder.cbranch(last, store, outer)
    for phi, number in zip([remaining, values, places, step, *start], [*following, *kept], strict=True):
        phi.add_incoming(number, latch)

    builder.position_at_end(store)
    nan = ir.Constant(_VECTOR, [float("nan")] * LANES)
    for total, address in zip(kept, addresses, strict=True):
        number = builder.select(builder.fcmp_unordered("uno", total, total), nan, total)
        builder.store(number, address, align=_FLOAT_BYTES)


def _multiply_add(
    builder: ir.IRBuilder,
    rows: int,
    vectors: int,
    value: ir.Value,
    row_bytes: ir.Value,
    line: ir.Value,
    sums: list[ir.Value],
) -> list[ir.Value]:
    """Emit one step of depth: each row's number, repeated over a vector, times the vectors of one line."""
    fma = declared(builder, ir.FunctionType(_VECTOR, [_VECTOR] * 3), f"llvm.fma.v{LANES}f32")
    undefined = ir.Constant(_VECTOR, ir.Undefined)
    columns = [builder.load(_pointer(builder, line, j * LANES, _VECTOR), align=_FLOAT_BYTES) for j in range(vectors)]
    added = []
    for row in range(rows):
        address = builder.add(value, builder.mul(row_bytes, _int(row)))
        number = builder.load(_pointer(builder, address, 0, _F32), align=_FLOAT_BYTES)
        first = builder.insert_element(undefined, number, ir.Constant(ir.IntType(32), 0))
        repeated = builder.shuffle_vector(first, undefined, ir.Constant(_LANE_INDEX, None))
        added += [builder.call(fma, [repeated, columns[j], sums[row * vectors + j]]) for j in range(vectors)]
    return added


def _pointer(builder: ir.IRBuilder, address: ir.Value, elements: int, kind: ir.Type) -> ir.Value:
    return builder.inttoptr(builder.add(address, _int(elements * _FLOAT_BYTES)), kind.as_pointer())


def _phi(builder: ir.IRBuilder, kind: ir.Type, *incoming: tuple[ir.Value, ir.Block]) -> ir.PhiInstr:
    phi = builder.phi(kind)
    for value, block in incoming:
        phi.add_incoming(value, block)
    return phi


def _int(value: int) -> ir.Constant:
    return ir.Constant(_I64, value)
