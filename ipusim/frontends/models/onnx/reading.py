"""Reads ONNX files: the message itself, and the values of its tensors, also those in files beside it."""

from __future__ import annotations

import os
from math import prod
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ipusim.files.regular import open_regular
from ipusim.frontends.models.onnx.problems import ModelFileError

if TYPE_CHECKING:
    from onnx import ModelProto, TensorProto

MAX_FILE_BYTES = 2**31 - 1
"""Largest message that protocol buffers can hold; larger models keep their weights in files beside the model."""

OLDEST_OPSET = 7
"""First version of the operators that broadcasts as numpy does."""

Array = NDArray[Any]


def read_model(path: Path) -> ModelProto:
    """Return the model in a file, with the functions that it defines worked into its graph.

    Raises
    ------
    ModelFileError
        The file cannot be read, is no ONNX model, or has operators of a version that is unknown here.
    """
    onnx = import_onnx()
    try:
        with open_regular(path) as stream:
            if os.fstat(stream.fileno()).st_size > MAX_FILE_BYTES:
                raise ModelFileError([f"the file is larger than {MAX_FILE_BYTES / 2**30:.0f} GiB"])
            content = stream.read()
    except FileNotFoundError:
        raise ModelFileError(["no such file"]) from None
    except (OSError, ValueError) as error:
        raise ModelFileError([f"cannot be read: {getattr(error, 'strerror', None) or error}"]) from None
    model = onnx.ModelProto()
    try:
        model.ParseFromString(content)
    except Exception as error:  # the type differs between the implementations of protocol buffers
        if type(error).__name__ != "DecodeError":
            raise
        raise ModelFileError(["is not an ONNX model, or is cut off"]) from None
    if not (model.ir_version and model.opset_import and (model.graph.node or model.graph.output)):
        raise ModelFileError(["is not an ONNX model"])
    if not _is_text(model):
        raise ModelFileError(["is not an ONNX model: a name in it is no text in UTF-8"])
    _check_opset(model, onnx.defs.onnx_opset_version())
    return _without_functions(model)


def _is_text(message: Any) -> bool:
    """Return whether all texts in a message are; protocol buffers give bytes where they are not."""
    for field, value in message.ListFields():
        if field.type not in (field.TYPE_STRING, field.TYPE_MESSAGE):
            continue
        single = isinstance(value, str | bytes) or hasattr(value, "ListFields")
        for each in (value,) if single else value:
            if isinstance(each, bytes) or (field.type == field.TYPE_MESSAGE and not _is_text(each)):
                return False
    return True


def import_onnx() -> Any:
    """Return the package `onnx`.

    Raises
    ------
    ModelFileError
        It is not installed.
    """
    try:
        import onnx
        import onnx.inliner
        import onnx.shape_inference
    except ImportError:
        hint = "install it with `pip install 'ipusim[onnx]'`"
        raise ModelFileError([f"reading ONNX needs the package onnx; {hint}"]) from None
    return onnx


def _check_opset(model: ModelProto, newest: int) -> None:
    for opset in model.opset_import:
        if opset.domain in ("", "ai.onnx") and not OLDEST_OPSET <= opset.version <= newest:
            raise ModelFileError(
                [f"uses version {opset.version} of the operators; {OLDEST_OPSET} to {newest} can be read"]
            )


def _without_functions(model: ModelProto) -> ModelProto:
    if not model.functions:
        return model
    from onnx.inliner import inline_local_functions

    try:
        return inline_local_functions(model)
    except Exception as error:  # whatever the C++ library finds wrong with them
        raise ModelFileError([f"its functions cannot be inlined: {first_line(error)}"]) from None


def tensor_array(tensor: TensorProto, folder: Path) -> Array:
    """Return the values of a tensor.

    Parameters
    ----------
    tensor : TensorProto
    folder : Path
        Folder of the model; a file of values must lie in it.

    Raises
    ------
    ValueError
        They are missing, or do not go together with shape and format; the text says why.
    """
    from onnx import TensorProto as Proto
    from onnx import numpy_helper

    shape = tensor_shape(tensor)
    if tensor.data_location == Proto.EXTERNAL:
        tensor = _with_external_data(tensor, folder)
    try:
        array: Array = numpy_helper.to_array(tensor)
    except Exception as error:  # numpy, struct and onnx each have their own
        raise ValueError(f"{tensor.name!r} cannot be read: {first_line(error)}") from None
    if array.shape != shape:
        raise ValueError(f"{tensor.name!r} holds {list(array.shape)} elements instead of {list(shape)}")
    return array


def tensor_shape(tensor: TensorProto) -> tuple[int, ...]:
    """Return the shape of a tensor; ValueError if an extent is negative."""
    shape = tuple(tensor.dims)
    if any(extent < 0 for extent in shape):
        raise ValueError(f"{tensor.name!r} has the impossible shape {list(shape)}")
    return shape


def _with_external_data(tensor: TensorProto, folder: Path) -> TensorProto:
    """Return a tensor that has its values in itself instead of in a file beside the model."""
    from onnx import TensorProto as Proto

    entries = {entry.key: entry.value for entry in tensor.external_data}
    place = _external_file(tensor.name, entries.get("location", ""), folder)
    item = np.dtype(_numpy_type(tensor.data_type)).itemsize
    expected = prod(tensor_shape(tensor)) * item
    offset = _count(tensor.name, entries, "offset", 0)
    length = _count(tensor.name, entries, "length", expected)
    try:
        with open_regular(place) as stream:
            left = place.stat().st_size - offset
            if not expected <= length <= left:
                raise ValueError(f"{tensor.name!r} needs {expected:,} bytes, {place.name} has {max(left, 0):,} for it")
            stream.seek(offset)
            content = stream.read(expected)
    except OSError as error:
        raise ValueError(f"the values of {tensor.name!r} cannot be read: {place.name}: {error.strerror}") from None
    loaded = Proto(name=tensor.name, data_type=tensor.data_type, dims=tensor.dims)
    loaded.raw_data = content
    return loaded


def _external_file(name: str, location: str, folder: Path) -> Path:
    """Return the path of a file of values, which may not lead out of the model's folder."""
    if not location or "\0" in location:
        raise ValueError(f"{name!r} names no file for its values")
    inside = folder.resolve()
    place = (inside / location).resolve()
    if not place.is_relative_to(inside):
        raise ValueError(f"the values of {name!r} are said to lie outside of the model's folder, in {location!r}")
    if not place.is_file():
        raise ValueError(f"the values of {name!r} should lie in {location!r}, and there is no such file")
    return place


def _count(name: str, entries: dict[str, str], key: str, default: int) -> int:
    text = entries.get(key, str(default))
    if not (text.isascii() and text.isdigit() and len(text) < 20):
        raise ValueError(f"{name!r} has the {key} {text!r} in its file of values")
    return int(text)


def _numpy_type(data_type: int) -> np.dtype[Any]:
    from onnx.helper import tensor_dtype_to_np_dtype

    try:
        return np.dtype(tensor_dtype_to_np_dtype(data_type))
    except (KeyError, ValueError, TypeError):
        raise ValueError(f"values of type {data_type} are unknown") from None


def first_line(error: object) -> str:
    """Return the first line of what another library has to say, shortened."""
    text = str(error).strip().splitlines()
    return (text[0] if text else type(error).__name__)[:200]
