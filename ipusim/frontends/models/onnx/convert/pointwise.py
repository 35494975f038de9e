"""Operators of ONNX that work element by element."""

from __future__ import annotations

from collections.abc import Callable

from ipusim.frontends.models.onnx.convert.conversion import Conversion, Converter, Table
from ipusim.frontends.models.onnx.problems import NodeError
from ipusim.frontends.models.onnx.types import FLOAT, TRUTH, WHOLE

INFINITE = 1e30
"""Limits as large as that are none."""


def _same(kind: str) -> Converter:
    """Return a converter to one operator of one operand."""

    def convert(node: Conversion) -> None:
        node.give(node.add(kind, node.numbers(0)))

    return convert


def _tuned(kind: str, **attributes: tuple[str, float]) -> Converter:
    """Return a converter to an operator whose attributes have other names, or other defaults, in ONNX."""

    def convert(node: Conversion) -> None:
        values = {name: node.number(*origin) for name, origin in attributes.items()}
        node.give(node.add(kind, node.numbers(0), **values))

    return convert


def _pair(kind: str, turned: bool = False) -> Converter:
    """Return a converter to an operator of two operands, or of their opposites: 1 less the result."""

    def convert(node: Conversion) -> None:
        result = node.add(kind, node.numbers(0), node.numbers(1))
        node.give(node.add("scale_shift", result, scale=-1.0, shift=1.0) if turned else result)

    return convert


def _many(kind: str) -> Converter:
    """Return a converter to an operator of two operands, one after the other for more."""

    def convert(node: Conversion) -> None:
        first, *others = (node.numbers(position) for position in range(len(node.node.inputs)))
        for each in others:
            first = node.add(kind, first, each)
        node.give(first)

    return convert


def _arithmetic(
    kind: str, right: Callable[[float], tuple[float, float]], left: Callable[[float], tuple[float, float]]
) -> Converter:
    """Return a converter to an operator of two operands.

    Where one is a constant number it becomes a scale and a shift of the other: `right` and `left` say which, for a
    number on the right and on the left.
    """

    def convert(node: Conversion) -> None:
        for position, numbers in ((1, right), (0, left)):
            number = node.scalar(position)
            if number is not None and not node.value(1 - position).is_constant:
                scale, shift = numbers(number)
                node.give_shaped(node.add("scale_shift", node.numbers(1 - position), scale=scale, shift=shift))
                return
        node.give(node.add(kind, node.numbers(0), node.numbers(1)))

    return convert


def _div(node: Conversion) -> None:
    if node.result().kind == WHOLE:
        raise NodeError("a division of whole numbers cannot be imported")
    number = node.scalar(1)
    if number:
        node.give_shaped(node.add("scale_shift", node.numbers(0), scale=1.0 / number))
    elif node.scalar(0) == 1.0:
        node.give_shaped(node.add("reciprocal", node.numbers(1)))
    else:
        node.give(node.add("div", node.numbers(0), node.numbers(1)))


def _pow(node: Conversion) -> None:
    exponent = node.scalar(1)
    if exponent is None:
        raise NodeError("only a constant number can be the exponent")
    x = node.numbers(0)
    short = {2.0: "square", 0.5: "sqrt", -1.0: "reciprocal", -0.5: "rsqrt"}.get(exponent)
    if exponent == 1.0:
        node.give_shaped(x)
    elif short:
        node.give_shaped(node.add(short, x))
    else:
        node.give_shaped(node.add("pow", x, exponent=exponent))


def _mean(node: Conversion) -> None:
    total, *others = (node.numbers(position) for position in range(len(node.node.inputs)))
    for each in others:
        total = node.add("add", total, each)
    node.give(node.add("scale_shift", total, scale=1.0 / (len(others) + 1)))


def _clip(node: Conversion) -> None:
    """Cut to an interval, one of whose ends may be open."""
    x = node.numbers(0)
    low, high = (_limit(node, position) for position in (1, 2))
    if low is not None and high is not None:
        x = node.add("clip", x, low=low, high=high)
    elif low is not None:
        x = node.add("relu", x) if low == 0.0 else node.add("maximum", x, node.full("low", low))
    elif high is not None:
        x = node.add("minimum", x, node.full("high", high))
    node.give(x)


def _limit(node: Conversion, position: int) -> float | None:
    """Return the lower (1) or the upper (2) limit of a node; None where there is none."""
    if node.version < 11:
        number = node.number("min" if position == 1 else "max", INFINITE)
    else:
        number = float(node.array(position).reshape(-1)[0]) if node.has(position) else INFINITE
    return None if abs(number) >= INFINITE else number


def _where(node: Conversion) -> None:
    node.give(node.add("where", *(node.numbers(position) for position in range(3))))


def _not(node: Conversion) -> None:
    node.give(node.add("scale_shift", node.numbers(0), scale=-1.0, shift=1.0))


def _prelu(node: Conversion) -> None:
    x = node.operand(0)
    negative = node.add("relu", node.add("neg", x))
    node.give(node.add("sub", node.add("relu", x), node.add("mul", negative, node.operand(1))))


def _exponential(node: Conversion, alpha: float, width: float = 1.0, gain: float = 1.0) -> None:
    """Add ``gain (max(x, 0) + alpha (exp(min(x, 0) / width) - 1))``."""
    x = node.operand(0)
    negative = node.add("scale_shift", node.add("relu", node.add("neg", x)), scale=-1.0 / width)
    curve = node.add("scale_shift", node.add("exp", negative), scale=gain * alpha, shift=-gain * alpha)
    line = node.add("relu", x)
    if gain != 1.0:
        line = node.add("scale_shift", line, scale=gain)
    node.give(node.add("add", line, curve))


def _celu(node: Conversion) -> None:
    alpha = node.number("alpha", 1.0)
    _exponential(node, alpha, width=alpha or 1.0)


def _selu(node: Conversion) -> None:
    _exponential(node, node.number("alpha", 1.6732632), gain=node.number("gamma", 1.0507010))


def _mish(node: Conversion) -> None:
    x = node.numbers(0)
    node.give(node.add("mul", x, node.add("tanh", node.add("softplus", x))))


def _softsign(node: Conversion) -> None:
    x = node.operand(0)
    node.give(node.add("div", x, node.add("scale_shift", node.add("abs", x), shift=1.0)))


def _swish(node: Conversion) -> None:
    x, alpha = node.operand(0), node.number("alpha", 1.0)
    if alpha == 1.0:
        node.give(node.add("silu", x))
        return
    node.give(node.add("mul", x, node.add("sigmoid", node.add("scale_shift", x, scale=alpha))))


def _gelu(node: Conversion) -> None:
    node.give(node.add("gelu", node.operand(0), approximate=node.text("approximate", "none")))


def _identity(node: Conversion) -> None:
    node.give(node.operand(0))


def _dropout(node: Conversion) -> None:
    training = node.whole("training_mode", 0) if not node.has(2) else bool(node.array(2).reshape(-1)[0])
    if training:
        raise NodeError("is in training mode")
    if node.wants(1):
        raise NodeError("its mask cannot be imported")
    node.give(node.operand(0))


def _cast(node: Conversion) -> None:
    """Change the kind of number: all formats with fractions are one, and truth is 0 or 1 in it."""
    before, after = node.value(0).kind, node.result().kind
    x = node.operand(0)
    if before == after or (before, after) in ((TRUTH, FLOAT), (TRUTH, WHOLE)):
        node.give(x)
    elif (before, after) == (WHOLE, FLOAT):
        node.give(node.as_numbers(x))
    else:
        raise NodeError(f"{before} values cannot become {after} ones while the model runs")


TABLE: Table = {
    **{name: _same(kind) for name, kind in (
        ("Relu", "relu"), ("Sigmoid", "sigmoid"), ("Tanh", "tanh"), ("Erf", "erf"), ("Exp", "exp"), ("Log", "log"),
        ("Sqrt", "sqrt"), ("Abs", "abs"), ("Neg", "neg"), ("Reciprocal", "reciprocal"), ("Softplus", "softplus"),
        ("HardSwish", "hard_swish"), ("Sin", "sin"), ("Cos", "cos"), ("Floor", "floor"), ("Ceil", "ceil"),
        ("Round", "round"), ("Sign", "sign"),
    )},
    **{name: _many(kind) for name, kind in (("Min", "minimum"), ("Max", "maximum"), ("Sum", "add"))},
    **{name: _pair(kind) for name, kind in (
        ("Equal", "equal"), ("Greater", "greater"), ("GreaterOrEqual", "greater_equal"), ("Less", "less"),
        ("LessOrEqual", "less_equal"), ("And", "mul"), ("Or", "maximum"),
    )},
    "Xor": _pair("equal", turned=True),
    "Add": _arithmetic("add", lambda number: (1.0, number), lambda number: (1.0, number)),
    "Sub": _arithmetic("sub", lambda number: (1.0, -number), lambda number: (-1.0, number)),
    "Mul": _arithmetic("mul", lambda number: (number, 0.0), lambda number: (number, 0.0)),
    "Div": _div, "Pow": _pow, "Mean": _mean, "Clip": _clip, "Where": _where, "Not": _not,
    "LeakyRelu": _tuned("leaky_relu", slope=("alpha", 0.01)), "Elu": _tuned("elu", alpha=("alpha", 1.0)),
    "HardSigmoid": _tuned("hard_sigmoid", slope=("alpha", 0.2), shift=("beta", 0.5)),
    "PRelu": _prelu, "Celu": _celu, "Selu": _selu, "Mish": _mish, "Softsign": _softsign, "Swish": _swish,
    "Gelu": _gelu, "Identity": _identity, "Dropout": _dropout, "Cast": _cast, "CastLike": _cast,
}  # fmt: skip
"""Converters of operators that work element by element."""
