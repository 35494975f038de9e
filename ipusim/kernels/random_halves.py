"""Stochastic rounding of vectors to float16, as LLVM code for the inner loops of products.

The same bits as :func:`ipusim.formats.round_stochastic` with those of :func:`ipusim.formats.random_words`.
"""

from __future__ import annotations

from llvmlite import ir

_I32, _I64 = ir.IntType(32), ir.IntType(64)
_DROP = 13
_SMALLEST_NORMAL, _LARGEST = 2.0**-14, 65504.0


def stochastic_halves(
    builder: ir.IRBuilder, value: ir.Value, number: ir.Value, step: ir.Value, key: ir.Value
) -> ir.Value:
    """Emit the rounding of a vector of float32 to float16 at random.

    Parameters
    ----------
    value : vector of float32
    number : int64
        Number of the first element in its array; the others follow.
    step : int64
        How often the elements were rounded before.
    key : int64
    """
    lanes = value.type.count
    words, flags = ir.VectorType(_I32, lanes), ir.VectorType(ir.FloatType(), lanes)

    def whole(constant: int) -> ir.Constant:
        return ir.Constant(words, [constant] * lanes)

    def real(constant: float) -> ir.Constant:
        return ir.Constant(flags, [constant] * lanes)

    def spread(scalar: ir.Value) -> ir.Value:
        first = builder.insert_element(ir.Constant(words, ir.Undefined), scalar, ir.Constant(_I32, 0))
        return builder.shuffle_vector(first, ir.Constant(words, ir.Undefined), ir.Constant(words, None))

    def mixed(word: ir.Value) -> ir.Value:
        for shift, factor in ((16, 0x7FEB352D), (15, 0x846CA68B)):
            word = builder.mul(builder.xor(word, builder.lshr(word, whole(shift))), whole(factor))
        return builder.xor(word, builder.lshr(word, whole(16)))

    low = builder.trunc(key, _I32)
    high = builder.trunc(builder.lshr(key, ir.Constant(_I64, 32)), _I32)
    turn = builder.add(builder.mul(builder.trunc(step, _I32), ir.Constant(_I32, 0x9E3779B9)), high)
    index = builder.add(spread(builder.trunc(number, _I32)), ir.Constant(words, list(range(lanes))))
    word = mixed(builder.add(mixed(builder.xor(index, spread(low))), spread(turn)))

    bits = builder.bitcast(value, words)
    sign = builder.and_(bits, whole(0x80000000))
    magnitude = builder.bitcast(builder.and_(bits, whole(0x7FFFFFFF)), flags)
    small = builder.fcmp_ordered("<", magnitude, real(_SMALLEST_NORMAL))
    anchor = builder.select(small, real(_SMALLEST_NORMAL), real(0.0))
    wide = builder.bitcast(builder.fadd(magnitude, anchor), words)
    total = builder.add(wide, builder.lshr(word, whole(32 - _DROP)))
    kept = builder.bitcast(builder.and_(total, whole(0xFFFFFFFF << _DROP & 0xFFFFFFFF)), flags)
    result = builder.fsub(kept, anchor)
    past = builder.fcmp_ordered(">", result, real(_LARGEST))
    result = builder.select(past, real(float("inf")), result)
    signed = builder.bitcast(builder.or_(builder.bitcast(result, words), sign), flags)
    return builder.select(builder.fcmp_unordered("uno", value, value), value, signed)
