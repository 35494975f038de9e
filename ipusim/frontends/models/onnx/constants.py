"""Values of the constants of a model, for the tensors that its import declares."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ipusim.frontends.models.names import readable
from ipusim.frontends.models.onnx.analysis import cached_model
from ipusim.frontends.models.onnx.importing import analysis_of
from ipusim.frontends.models.onnx.numbers import as_float32, finite
from ipusim.frontends.models.onnx.reading import tensor_array, tensor_shape

if TYPE_CHECKING:
    from onnx import TensorProto

_MOST_LISTED = 20


def constant_shape(path: Path, extents: Mapping[str, int], name: str) -> tuple[int, ...]:
    """Return the shape of a constant as tensors have it: a scalar has one dimension.

    Raises
    ------
    ValueError
        The file is no model that can be imported, or has no such constant.
    """
    value = analysis_of(path, extents).values.get(name)
    if value is None or not value.is_constant:
        raise ValueError(f"has no constant {name!r}")
    return value.shape or (1,)


def initialiser_shape(path: Path, name: str) -> tuple[int, ...]:
    """Return the shape of a tensor that stands in a file; ValueError if there is none of this name."""
    return tensor_shape(_initialiser(path, name)) or (1,)


def initialiser_values(path: Path, name: str) -> NDArray[np.float32]:
    """Return a tensor that stands in a file as C-contiguous float32; ValueError if it cannot be read."""
    tensor = _initialiser(path, name)
    return as_float32(tensor_array(tensor, path.parent)).reshape(tensor_shape(tensor) or (1,))


def _initialiser(path: Path, name: str) -> TensorProto:
    """Return the tensor of this name, or the only one that is called so in a workload file."""
    tensors = cached_model(path).graph.initializer
    found = [each for each in tensors if each.name == name] or [each for each in tensors if readable(each.name) == name]
    if len(found) != 1:
        held = ", ".join(sorted(each.name for each in tensors)[:_MOST_LISTED]) or "nothing"
        raise ValueError(f"has no tensor {name!r}; it holds {held}")
    tensor: TensorProto = found[0]
    return tensor


def constant_values(path: Path, extents: Mapping[str, int], name: str, dtype: str) -> NDArray[np.float32]:
    """Return a constant as C-contiguous float32, not yet rounded to a format.

    Parameters
    ----------
    dtype : str
        The format. Numbers that stand for infinity become ones that it can hold
        (:func:`~ipusim.frontends.models.onnx.numbers.finite`).

    Raises
    ------
    ValueError
        As for :func:`constant_shape`; also if the values cannot be read, or some are no numbers.
    """
    shape = constant_shape(path, extents, name)
    values = finite(as_float32(analysis_of(path, extents).array(name)), dtype).reshape(shape)
    if np.isnan(values).any():
        raise ValueError(f"holds values in {name!r} that are not a number")
    return values
