"""Attributes of ONNX nodes as plain values."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ipusim.frontends.models.onnx.problems import NodeError

if TYPE_CHECKING:
    from onnx import NodeProto


def node_attributes(node: NodeProto) -> dict[str, Any]:
    """Return the attributes of a node: int, float, str, lists of them, TensorProto.

    Raises
    ------
    NodeError
        One is of another kind, or refers to something outside of the node.
    """
    from onnx import AttributeProto as Proto

    found: dict[str, Any] = {}
    for each in node.attribute:
        if each.type == Proto.INT:
            found[each.name] = each.i
        elif each.type == Proto.FLOAT:
            found[each.name] = each.f
        elif each.type == Proto.STRING:
            found[each.name] = each.s.decode("utf-8", "replace")
        elif each.type == Proto.INTS:
            found[each.name] = list(each.ints)
        elif each.type == Proto.FLOATS:
            found[each.name] = list(each.floats)
        elif each.type == Proto.STRINGS:
            found[each.name] = [text.decode("utf-8", "replace") for text in each.strings]
        elif each.type == Proto.TENSOR:
            found[each.name] = each.t
        else:
            raise NodeError(f"its attribute {each.name!r} is of a kind that cannot be imported")
    return found
