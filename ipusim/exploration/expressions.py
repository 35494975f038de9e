"""Expressions of a space file: arithmetic over names, with units; nothing else can be said in them.

``900 MiB / n_tiles`` or ``total_sram_bytes <= 1 GiB``. A text is parsed by Python's own parser, and only the node types
listed here are walked, over numbers, truth values and texts. Length, nesting and the size of whole numbers are bounded,
so that no text takes long.
"""

from __future__ import annotations

import ast
import math
import operator
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeAlias

from ipusim.files.units import BYTE_UNITS, HERTZ_UNITS
from ipusim.files.wording import FieldError, did_you_mean, join_words, shorten

Value: TypeAlias = int | float | bool | str

UNITS: dict[str, float] = {
    **BYTE_UNITS,
    **HERTZ_UNITS,
    "s": 1,
    "ms": 1e-3,
    "us": 1e-6,
    "ns": 1e-9,
    "J": 1,
    "mJ": 1e-3,
    "uJ": 1e-6,
    "W": 1,
    "kW": 10**3,
    "mm2": 1,
}
"""Units that may follow a number, by what they multiply it with."""

MAX_LENGTH = 500
"""Longest expression, in characters."""

_MOST_NODES = 200
_MOST_BITS = 256
_MOST_EXPONENT = 64

_WITH_UNIT = re.compile(
    r"(?<![\w.])((?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][-+]?[0-9]+)?)\s*("
    + "|".join(sorted(UNITS, key=len)[::-1])
    + r")\b"
)
_DOTTED = re.compile(r"[A-Za-z_]\w*(?:\s*\.\s*\w+)+")
_INDEX = re.compile(r"\.\s*([0-9]+)\b")
_NUMBER_AND_WORD = re.compile(r"(?<![\w.])[0-9][0-9.]*\s*([A-Za-z][A-Za-z0-9]*)")


def _rounded_down(number: float, step: float) -> float:
    """Return the largest multiple of `step` up to `number`."""
    return math.floor(number / step * (1 + 1e-12)) * step


_FUNCTIONS: dict[str, Callable[..., Any]] = {
    "abs": abs,
    "ceil": math.ceil,
    "floor": math.floor,
    "log2": math.log2,
    "max": max,
    "min": min,
    "round": round,
    "round_down": _rounded_down,
    "sqrt": math.sqrt,
}

_ARGUMENTS = {"max": (2, 200), "min": (2, 200), "round": (1, 2), "round_down": (2, 2)}
"""Fewest and most arguments of a function; of the others one."""

_BINARY: dict[type[ast.operator], Callable[[Any, Any], Any]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.FloorDiv: operator.floordiv,
    ast.Mod: operator.mod,
    ast.Pow: operator.pow,
}
_COMPARE: dict[type[ast.cmpop], Callable[[Any, Any], bool]] = {
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
}


@dataclass(frozen=True, slots=True)
class Expression:
    """A parsed expression.

    Attributes
    ----------
    text : str
        As the user wrote it.
    names : tuple of str
        What it refers to, in the order of the text; a dotted name is one.
    tree : ast.expr
    is_condition : bool
        Whether it compares something, so that its value is true or false.
    """

    text: str
    names: tuple[str, ...]
    tree: ast.expr
    is_condition: bool

    def evaluate(self, names: Callable[[str], Value]) -> Value:
        """Return the value of the expression, with the values that `names` gives.

        Raises
        ------
        FieldError
            Where it has none: a division by zero, a number out of range, kinds that do not go together.
        """
        try:
            value: Value = _value(self.tree, names)
        except ZeroDivisionError:
            raise FieldError(f"{shorten(self.text)!r} divides by zero") from None
        except (OverflowError, ValueError):
            raise FieldError(f"{shorten(self.text)!r} is out of range") from None
        except TypeError:
            raise FieldError(f"{shorten(self.text)!r} mixes numbers and texts") from None
        if isinstance(value, float) and not math.isfinite(value):
            raise FieldError(f"{shorten(self.text)!r} is out of range")
        return value


def parse_expression(text: str) -> Expression:
    """Return the expression in `text`.

    Raises
    ------
    FieldError
        When it is no expression, or has parts that none may have.
    """
    if len(text) > MAX_LENGTH:
        raise FieldError(f"an expression has at most {MAX_LENGTH} characters, found {len(text)}")
    plain = _DOTTED.sub(lambda match: _INDEX.sub(r"._\1", match[0]), text)
    plain = _WITH_UNIT.sub(lambda match: f"({match[1]} * {UNITS[match[2]]!r})", plain)
    _check_units(plain)
    try:
        tree = ast.parse(plain.strip(), mode="eval").body
    except (SyntaxError, ValueError, MemoryError, RecursionError):
        raise FieldError(f"{shorten(text)!r} is not an expression", "such as 900 MiB / n_tiles") from None
    nodes = list(ast.walk(tree))
    if len(nodes) > _MOST_NODES:
        raise FieldError(f"{shorten(text)!r} has too many parts")
    names: dict[str, None] = {}
    _check(tree, names)
    found = Expression(text, tuple(names), tree, isinstance(tree, (ast.Compare, ast.BoolOp)) or _negates(tree))
    if not names:
        found.evaluate(no_names)
    return found


def _negates(tree: ast.expr) -> bool:
    return isinstance(tree, ast.UnaryOp) and isinstance(tree.op, ast.Not)


def _check_units(text: str) -> None:
    for match in _NUMBER_AND_WORD.finditer(text):
        word = match[1]
        if word not in ("and", "or", "if", "else", "not", "in", "is", "e") and not re.fullmatch(r"[eE][0-9]*", word):
            hint = did_you_mean(word, UNITS) or f"units: {join_words(UNITS, 'and')}"
            raise FieldError(f"unknown unit {shorten(word)!r}", hint)


def _check(node: ast.expr, names: dict[str, None]) -> None:
    """Refuse what may not stand in an expression, and note the names in it."""
    if isinstance(node, ast.Constant):
        if not isinstance(node.value, (int, float, str, bool)):
            raise FieldError(f"an expression cannot hold {shorten(ast.unparse(node))!r}")
        if isinstance(node.value, int) and node.value.bit_length() > _MOST_BITS:
            raise FieldError("a number in it is too large")
        return
    if isinstance(node, (ast.Name, ast.Attribute)):
        names[_dotted(node)] = None
        return
    for child in _children(node):
        _check(child, names)


def _children(node: ast.expr) -> list[ast.expr]:
    """Return the parts of a node that may stand in an expression."""
    if isinstance(node, ast.BinOp) and type(node.op) in _BINARY:
        return [node.left, node.right]
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, (ast.USub, ast.UAdd, ast.Not)):
        return [node.operand]
    if isinstance(node, ast.Compare) and all(type(op) in _COMPARE for op in node.ops):
        return [node.left, *node.comparators]
    if isinstance(node, ast.BoolOp):
        return node.values
    if isinstance(node, ast.IfExp):
        return [node.test, node.body, node.orelse]
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and not node.keywords:
        if node.func.id not in _FUNCTIONS:
            hint = did_you_mean(node.func.id, _FUNCTIONS) or f"there are {join_words(_FUNCTIONS, 'and')}"
            raise FieldError(f"unknown function {shorten(node.func.id)!r}", hint)
        least, most = _ARGUMENTS.get(node.func.id, (1, 1))
        if not least <= len(node.args) <= most:
            wanted = f"at least {least}" if most > 2 else join_words(map(str, sorted({least, most})), "or")
            raise FieldError(f"{node.func.id} takes {wanted} numbers, found {len(node.args)}")
        return node.args
    raise FieldError(f"an expression cannot hold {shorten(ast.unparse(node))!r}")


def _dotted(node: ast.expr) -> str:
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Attribute):
        index = node.attr.removeprefix("_")
        return f"{_dotted(node.value)}.{index if index.isdecimal() else node.attr}"
    raise FieldError(f"an expression cannot hold {shorten(ast.unparse(node))!r}")


def _value(node: ast.expr, names: Callable[[str], Value]) -> Any:
    if isinstance(node, ast.Constant):
        return node.value
    if isinstance(node, (ast.Name, ast.Attribute)):
        return names(_dotted(node))
    if isinstance(node, ast.BinOp):
        return _bounded(_BINARY[type(node.op)], _value(node.left, names), _value(node.right, names))
    if isinstance(node, ast.UnaryOp):
        operand = _value(node.operand, names)
        if isinstance(node.op, ast.Not):
            return not operand
        return -operand if isinstance(node.op, ast.USub) else +operand
    if isinstance(node, ast.Compare):
        values = [_value(each, names) for each in (node.left, *node.comparators)]
        return all(_COMPARE[type(op)](a, b) for op, a, b in zip(node.ops, values, values[1:], strict=False))
    if isinstance(node, ast.BoolOp):
        decide = all if isinstance(node.op, ast.And) else any
        return decide(bool(_value(each, names)) for each in node.values)
    if isinstance(node, ast.IfExp):
        return _value(node.body if _value(node.test, names) else node.orelse, names)
    assert isinstance(node, ast.Call)
    assert isinstance(node.func, ast.Name)
    return _FUNCTIONS[node.func.id](*(_value(each, names) for each in node.args))


def _bounded(apply: Callable[[Any, Any], Any], left: Any, right: Any) -> Any:
    """Apply an operator to numbers whose result stays small."""
    if isinstance(left, str) or isinstance(right, str):
        raise TypeError
    if apply is operator.pow:
        if abs(right) > _MOST_EXPONENT:
            raise OverflowError
        if isinstance(left, int) and isinstance(right, int) and left.bit_length() * abs(right) > 4 * _MOST_BITS:
            raise OverflowError
    result = apply(left, right)
    if isinstance(result, complex) or (isinstance(result, int) and result.bit_length() > _MOST_BITS):
        raise OverflowError
    return result


def no_names(name: str) -> Value:
    """Stand for the names of an expression that has none."""
    raise FieldError(f"unknown name {name!r}")
