"""Values of the constants of a model, for the tensors that its import declares."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ipusim.frontends.models.onnx.importing import analysis_of
from ipusim.frontends.models.onnx.numbers import as_float32, finite


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
