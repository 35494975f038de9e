"""The operator Attention of ONNX."""

from __future__ import annotations

from ipusim.frontends.models.onnx.convert.conversion import Conversion, Table
from ipusim.frontends.models.onnx.problems import NodeError

_UNREAD = {3: "a mask", 4: "keys of the past", 5: "values of the past", 6: "lengths without padding"}
_SWAPPED = [0, 2, 1, 3]


def _attention(node: Conversion) -> None:
    """Add an attention over heads; operands of three dimensions are split into heads, and their result is joined."""
    for position, what in _UNREAD.items():
        if node.has(position):
            raise NodeError(f"has {what}, which attention does not read here")
    if any(node.wants(position) for position in (1, 2, 3)):
        raise NodeError("gives keys, values or scores, too; only its first result can be computed")
    if node.number("softcap", 0.0) != 0.0:
        raise NodeError("has a softcap, which attention has not here")
    own_scale = "scale" in node.node.attributes
    scale = node.number("scale", 1.0)
    if scale == 0.0:
        raise NodeError("its scale is 0")
    heads = [node.whole("q_num_heads", 0), *[node.whole("kv_num_heads", 0)] * 2]
    queries, keys, values = (_in_heads(node, position, count) for position, count in enumerate(heads))
    causal = bool(node.whole("is_causal", 0))
    if causal and node.shape(queries)[-2] != node.shape(keys)[-2]:
        raise NodeError("is causal, with more keys than queries or fewer")
    attributes = {"causal": causal} | ({"scale": scale} if own_scale else {})
    result = node.add("attention", queries, keys, values, **attributes)
    if len(node.result().shape) == 3:
        result = node.add("transpose", result, axes=_SWAPPED)
    node.give_shaped(result)


def _in_heads(node: Conversion, position: int, heads: int) -> str:
    """Return an operand with the dimensions batch, heads, sequence and features."""
    operand = node.operand(position)
    shape = node.shape(operand)
    if len(shape) == 4:
        return operand
    if heads < 1 or shape[-1] % heads:
        raise NodeError("needs q_num_heads and kv_num_heads that divide the last dimensions of its operands")
    return node.add("transpose", node.shaped(operand, (*shape[:2], heads, shape[2] // heads)), axes=_SWAPPED)


TABLE: Table = {"Attention": _attention}
"""Converters of attention."""
