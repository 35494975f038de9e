"""The number format that a model is written in."""

from __future__ import annotations

from collections import Counter
from math import prod
from pathlib import Path

from ipusim.frontends.models.onnx.analysis import cached_model
from ipusim.frontends.models.onnx.problems import ModelFileError


def model_format(path: Path) -> str:
    """Return the format of most of a model's numbers: ``float16`` or ``float32``.

    A file that cannot be read is told of by whoever imports it: here it is ``float32``.
    """
    try:
        model = cached_model(path)
    except ModelFileError:
        return "float32"
    from onnx import TensorProto

    narrow = (TensorProto.FLOAT16, TensorProto.BFLOAT16)
    wide = (TensorProto.FLOAT, TensorProto.DOUBLE)
    counts: Counter[bool] = Counter()
    for tensor in model.graph.initializer:
        if tensor.data_type in (*narrow, *wide):
            counts[tensor.data_type in narrow] += prod(tensor.dims)
    for value in model.graph.input:
        if value.type.tensor_type.elem_type in (*narrow, *wide):
            counts[value.type.tensor_type.elem_type in narrow] += 1
    return "float16" if counts[True] > counts[False] else "float32"
