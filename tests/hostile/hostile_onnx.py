"""ONNX files whose messages have been changed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from hostile_files import damaged
from hostile_words import PATHS, WORDS
from hypothesis import strategies as st


def _repeated(message: Any) -> list[tuple[Any, Any]]:
    """Return every (message, field) inside a protobuf message, itself included."""
    found = []
    for field, value in message.ListFields():
        found.append((message, field))
        if field.message_type is not None:
            for each in value if field.is_repeated else (value,):
                found += _repeated(each)
    return found


@st.composite
def onnx_files(draw: st.DrawFn, models: Sequence[Any]) -> bytes:
    """Return the content of an ONNX file: a model with fields changed, or with bytes changed."""
    model = type(models[0])()
    model.CopyFrom(draw(st.sampled_from(models)))
    if draw(st.integers(0, 4)) == 0:
        return draw(damaged(model.SerializeToString()))
    for _ in range(draw(st.integers(1, 3))):
        _change_message(draw, model)
    return bytes(model.SerializeToString())


_OPS = (
    "Add",
    "MatMul",
    "Reshape",
    "Transpose",
    "Conv",
    "If",
    "Loop",
    "Scan",
    "Constant",
    "Expand",
    "Tile",
    "Range",
    "Pad",
)
_OPS += (
    "Concat",
    "Slice",
    "Gather",
    "Split",
    "Resize",
    "ConstantOfShape",
    "LSTM",
    "GRU",
    "Attention",
    "Softmax",
    "Cast",
)
_OPS += (
    "Identity",
    "Shape",
    "Size",
    "TopK",
    "NonZero",
    "OneHot",
    "Einsum",
    "CumSum",
    "Bernoulli",
    "Squeeze",
    "Nope",
    "",
)


def _change_message(draw: st.DrawFn, model: Any) -> None:
    fields = _repeated(model)
    message, field = draw(st.sampled_from(fields))
    repeated = field.is_repeated
    match draw(st.sampled_from("vvvvdrreo")):
        case "d":
            message.ClearField(field.name)
            return
        case "e" if model.graph.initializer:
            tensor = draw(st.sampled_from(list(model.graph.initializer)))
            tensor.data_location = 1
            for key in ("location", "offset", "length"):
                entry = tensor.external_data.add()
                entry.key = key
                value = draw(st.sampled_from((*PATHS, "0", "-1", "1e9", "9" * 30, "weights.bin")))[:500]
                entry.value = value.encode("utf-8", "replace").decode()
            tensor.ClearField("raw_data")
            return
        case "o" if model.graph.node:
            node = draw(st.sampled_from(list(model.graph.node)))
            node.op_type = draw(st.sampled_from(_OPS))
            return
        case "r" if repeated and len(getattr(message, field.name)):
            held = getattr(message, field.name)
            match draw(st.sampled_from("pdx")):
                case "p":
                    held.pop()
                case "d":
                    held.extend([held[0]] * draw(st.sampled_from((1, 2, 300))))
                case _:
                    held.extend(list(held))
            return
    _set_field(draw, message, field)


def _set_field(draw: st.DrawFn, message: Any, field: Any) -> None:
    integers = st.sampled_from(
        (0, 1, 2, 3, 4, 5, 7, 10, 11, 16, 17, 99, -1, 2**31 - 1, 2**31, 10**12, 2**62, 2**63 - 1)
    )
    kind = field.cpp_type
    if kind == field.CPPTYPE_MESSAGE:
        held = getattr(message, field.name)
        (held.add() if field.is_repeated else held).SetInParent()
        return
    if kind == field.CPPTYPE_STRING:
        texts = st.sampled_from((*WORDS, *PATHS, *_OPS)).map(lambda text: text.encode("utf-8", "replace").decode())
        value: Any = draw(texts).encode() if field.type == field.TYPE_BYTES else draw(texts)
        if field.type == field.TYPE_BYTES:
            value = draw(st.binary(max_size=64))
    elif kind in (field.CPPTYPE_FLOAT, field.CPPTYPE_DOUBLE):
        value = draw(st.floats(width=32))
    else:
        value = draw(integers)
        if kind in (field.CPPTYPE_INT32, field.CPPTYPE_ENUM):
            value = min(value, 2**31 - 1)
        elif kind in (field.CPPTYPE_UINT32, field.CPPTYPE_UINT64):
            value = max(0, min(value, 2**32 - 1))
    held = getattr(message, field.name)
    try:
        if not field.is_repeated:
            setattr(message, field.name, value)
        elif len(held):
            held[draw(st.integers(0, len(held) - 1))] = value
        else:
            held.append(value)
    except ValueError:  # an enum that knows its values
        return
