"""Worker slots of the inner loop of every elementwise operator and activation function.

Source: poplibs popopsCycleEstimators.hpp and popnnCycleEstimators.cpp (dense reference, section 3).
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class OpConstant:
    """The loop of one elementwise operator.

    Attributes
    ----------
    float16, float32 : tuple of two int
        ``(worker slots, elements)`` of one pass of the loop.
    access : int
        Slots per pass beside those, to load and store.
    in_place16, in_place32 : tuple of two int or None
        The loop when the result replaces the operand, where it is another one.
    prologue : int
        Worker slots before the loop of a unary operator that is not in place.
    """

    float16: tuple[int, int]
    float32: tuple[int, int]
    access: int = 0
    in_place16: tuple[int, int] | None = None
    in_place32: tuple[int, int] | None = None
    prologue: int = 17

    def loop(self, float_type: bool, in_place: bool) -> tuple[int, int]:
        """Return ``(worker slots, elements)`` of one pass, loads and stores included."""
        special = self.in_place32 if float_type else self.in_place16
        cycles, elements = special if in_place and special else self.float32 if float_type else self.float16
        return cycles + self.access, elements


INTEGER_LOOP = (7, 1)
"""``(worker slots, elements)`` of a pass over 32-bit integers, whatever the operator."""

BINARY_OPS = {
    "add": OpConstant((1, 4), (1, 2), access=2),
    "subtract": OpConstant((1, 4), (1, 2), access=2),
    "multiply": OpConstant((1, 4), (1, 2), access=2),
    "maximum": OpConstant((4, 4), (3, 2)),
    "minimum": OpConstant((4, 4), (3, 2)),
    "divide": OpConstant((21, 4), (10, 2)),
    "power": OpConstant((325, 1), (312, 1)),
    "equal": OpConstant((9, 4), (14, 4)),
    **dict.fromkeys(("less", "less_equal", "greater", "greater_equal"), OpConstant((9, 4), (14, 4))),
}
"""Operators of two operands."""

UNARY_OPS = {
    "exp": OpConstant((4, 4), (6, 2), prologue=33),
    "log": OpConstant((4, 4), (12, 2)),
    "tanh": OpConstant((4, 4), (12, 2), in_place16=(2, 4), in_place32=(10, 2)),
    "sigmoid": OpConstant((6, 4), (12, 2), in_place16=(4, 4), in_place32=(10, 2)),
    "sqrt": OpConstant((23, 4), (10, 2)),
    "rsqrt": OpConstant((19, 4), (8, 2)),
    "square": OpConstant((2, 4), (2, 2)),
    "negate": OpConstant((2, 4), (2, 2)),
    "relu": OpConstant((3, 4), (3, 2), in_place16=(2, 4), in_place32=(2, 2)),
    "inverse": OpConstant((15, 4), (6, 2)),
    "erf": OpConstant((13, 1), (41, 1)),
    "gelu_erf": OpConstant((16, 1), (22, 1)),
    "sin": OpConstant((25, 1), (2300, 1)),
    "cos": OpConstant((25, 1), (2300, 1)),
    "abs": OpConstant((5, 1), (5, 1), in_place16=(1, 4), in_place32=(1, 2)),
    "ceil": OpConstant((2, 4), (2, 2)),
    "floor": OpConstant((2, 4), (2, 2)),
    "round": OpConstant((2, 4), (2, 2)),
    "clip": OpConstant((4, 4), (3, 2)),
    "leaky_relu": OpConstant((4, 4), (4, 2)),
    "hard_sigmoid": OpConstant((5, 4), (5, 2)),
    "hard_swish": OpConstant((6, 4), (6, 2)),
    "elu": OpConstant((9, 4), (11, 2)),
    "softplus": OpConstant((11, 4), (21, 2)),
    "sign": OpConstant((4, 4), (4, 2)),
    "dropout": OpConstant((4, 4), (4, 2)),
}
"""Operators of one operand."""

SELECT_SLOTS = 5
"""Worker slots of an element of a choice between two operands, loads and store included (Select vertex)."""

DERIVED = {
    "less": "the loop of equal",
    "less_equal": "the loop of equal",
    "greater": "the loop of equal",
    "greater_equal": "the loop of equal",
    "clip": "the loop of maximum: one instruction clamps",
    "leaky_relu": "the loop of relu and a product",
    "hard_sigmoid": "the loop of relu, a product and a sum",
    "hard_swish": "the loop of hard_sigmoid and a product",
    "elu": "the loop of exp and five instructions: both signs apart, less one, times the slope, sum",
    "softplus": "the loops of exp and log with one load and store, and five instructions around them",
    "sign": "the loop of relu and a product: scaled until it is clamped",
    "dropout": "load, hardware mask of random bits, product, store",
    "select": "the single-worker Select vertex, shared among the workers",
}
"""Functions without a published loop, and what theirs is derived from."""


@dataclass(frozen=True, slots=True)
class Activation:
    """The loop of one activation function, in whole 64-bit vectors.

    Attributes
    ----------
    first16, first32 : int
        Worker slots before and after the loop.
    vector16, vector32 : int
        Worker slots per vector of the loop.
    """

    first16: int
    first32: int
    vector16: int
    vector32: int


ACTIVATIONS = {
    "relu": Activation(1, 1, 1, 1),
    "sigmoid": Activation(2, 5, 4, 10),
    "tanh": Activation(1, 5, 2, 10),
    "gelu": Activation(5, 10, 5, 10),
    "gelu_erf": Activation(15, 30, 15, 30),
    "swish": Activation(3, 6, 5, 11),
}
"""Activation functions of the NonLinearity vertices."""

ACTIVATION_GRADIENTS = {
    "relu_gradient": (3, 3),
    "sigmoid_gradient": (3, 3),
    "tanh_gradient": (3, 3),
    "gelu_gradient": (5, 10),
    "gelu_erf_gradient": (15, 30),
    "swish_gradient": (5, 11),
}
"""Worker slots per vector, 16-bit and 32-bit, of the gradients of activation functions.

Those of the exact GELU and of swish are not published: they have the loop of the function, as that of GELU has.
"""
