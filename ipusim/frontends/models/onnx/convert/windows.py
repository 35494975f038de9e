"""Attributes of windows, and the pooling operators of ONNX."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ipusim.frontends.models.onnx.convert.conversion import Conversion, Converter, Table
from ipusim.frontends.models.onnx.problems import NodeError


def window_attributes(node: Conversion, extents: Sequence[int], kernel: Sequence[int]) -> dict[str, Any]:
    """Return stride, padding and dilation of an op from the attributes of a node.

    Parameters
    ----------
    extents : sequence of int
        Spatial extents of the input.
    kernel : sequence of int

    Raises
    ------
    NodeError
        An attribute has the wrong number of numbers, or impossible ones.
    """
    rank = len(kernel)
    stride = _numbers(node, "strides", rank, 1)
    dilation = _numbers(node, "dilations", rank, 1)
    reach = [(size - 1) * step + 1 for size, step in zip(kernel, dilation, strict=True)]
    padding = _padding(node, extents, reach, stride)
    found = {"stride": stride, "padding": padding, "dilation": dilation}
    plain = {"stride": 1, "padding": 0, "dilation": 1}
    return {name: each for name, each in found.items() if any(number != plain[name] for number in each)}


def _numbers(node: Conversion, name: str, count: int, default: int) -> list[int]:
    found = node.listed(name) or [default] * count
    if len(found) != count:
        raise NodeError(f"its attribute {name!r} has {len(found)} numbers instead of {count}")
    if min(found) < default:
        raise NodeError(f"its attribute {name!r} has numbers below {default}")
    return found


def _padding(node: Conversion, extents: Sequence[int], reach: Sequence[int], stride: Sequence[int]) -> list[int]:
    """Return the padding before all dimensions, then behind all."""
    rank = len(reach)
    how = node.text("auto_pad", "NOTSET")
    if how == "NOTSET":
        return _numbers(node, "pads", 2 * rank, 0)
    if how == "VALID":
        return [0] * (2 * rank)
    if how not in ("SAME_UPPER", "SAME_LOWER"):
        raise NodeError(f"its attribute 'auto_pad' has the unknown value {how!r}")
    before, after = [], []
    for extent, size, step in zip(extents, reach, stride, strict=True):
        missing = max((-(-extent // step) - 1) * step + size - extent, 0)
        less, more = missing // 2, missing - missing // 2
        before.append(less if how == "SAME_UPPER" else more)
        after.append(more if how == "SAME_UPPER" else less)
    return before + after


def _pool(kind: str) -> Converter:
    def convert(node: Conversion) -> None:
        x = node.operand(0)
        rank = len(node.shape(x)) - 2
        kernel = node.listed("kernel_shape") or []
        if rank not in (1, 2) or len(kernel) != rank:
            raise NodeError(f"has {rank} spatial dimensions; there is pooling over 1 and 2")
        if node.wants(1):
            raise NodeError("the places of its maxima cannot be imported")
        attributes = window_attributes(node, node.shape(x)[2:], kernel)
        if attributes.pop("dilation", None):
            raise NodeError("a dilation cannot be imported")
        attributes.setdefault("stride", [1] * rank)
        if node.whole("ceil_mode", 0):
            _round_up(node, attributes, kernel, node.shape(x)[2:])
        if kind == "avg" and node.whole("count_include_pad", 0):
            attributes["include_padding"] = True
        result = node.add(f"{kind}_pool{rank}d", x, kernel=kernel, **attributes)
        if node.shape(result) != node.result().shape:
            raise NodeError(f"its result would be {list(node.shape(result))} instead of {list(node.result().shape)}")
        node.give(result)

    return convert


def _round_up(node: Conversion, attributes: dict[str, Any], kernel: Sequence[int], extents: Sequence[int]) -> None:
    """Widen the padding at the end so that the last window is there, too."""
    rank = len(kernel)
    padding = list(attributes.get("padding", [0] * (2 * rank)))
    wider = False
    for axis, count in enumerate(node.result().shape[2:]):
        needed = (count - 1) * attributes["stride"][axis] + kernel[axis] - extents[axis] - padding[axis]
        wider |= needed > padding[rank + axis]
        padding[rank + axis] = max(needed, padding[rank + axis])
    if wider and node.whole("count_include_pad", 0):
        raise NodeError("rounding up (ceil_mode) with the padding counted (count_include_pad) cannot be imported")
    attributes["padding"] = padding


def _global(kind: str) -> Converter:
    def convert(node: Conversion) -> None:
        x = node.operand(0)
        axes = list(range(2, len(node.shape(x))))
        node.give(node.add(kind, x, axes=axes, keepdims=True) if axes else x)

    return convert


TABLE: Table = {
    "MaxPool": _pool("max"), "AveragePool": _pool("avg"), "GlobalAveragePool": _global("mean"),
    "GlobalMaxPool": _global("max"),
}  # fmt: skip
"""Converters of pooling operators."""
