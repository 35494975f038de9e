"""Open dimensions of a model's inputs, and the extents that the options give them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from ipusim.files.wording import did_you_mean, join_words
from ipusim.frontends.models.onnx.problems import ModelFileError

if TYPE_CHECKING:
    from onnx import ValueInfoProto


def input_shapes(inputs: list[ValueInfoProto], extents: Mapping[str, int]) -> dict[str, tuple[int, ...]]:
    """Return the shape of every input.

    Parameters
    ----------
    inputs : list of ValueInfoProto
    extents : Mapping
        Extent by name of the dimension. One that has no name is called ``input/position``.

    Raises
    ------
    ModelFileError
        With every dimension that stays open, every input without a shape, and every extent that belongs to none.
    """
    problems: list[str] = []
    names: dict[str, list[str]] = {}
    shapes: dict[str, tuple[int, ...]] = {}
    for each in inputs:
        tensor = each.type.tensor_type
        if not each.type.HasField("tensor_type") or not tensor.HasField("shape"):
            problems.append(f"input {each.name!r} is no tensor of a known rank")
            continue
        found = []
        for position, dimension in enumerate(tensor.shape.dim):
            if dimension.WhichOneof("value") == "dim_value":
                found.append(dimension.dim_value)
                if dimension.dim_value < 1:
                    problems.append(f"input {each.name!r} has the extent {dimension.dim_value}")
                continue
            name = dimension.dim_param or f"{each.name}/{position}"
            names.setdefault(name, []).append(each.name)
            found.append(extents.get(name, 1))
        shapes[each.name] = tuple(found)
    problems += _open(names, extents) + _unknown(names, extents)
    if problems:
        raise ModelFileError(problems)
    return shapes


def _open(names: Mapping[str, list[str]], extents: Mapping[str, int]) -> list[str]:
    return [
        f"dimension {name!r} of input {join_words(map(repr, users), 'and')} is open; say dims: {{{name}: 1}}, "
        f"or --set model.onnx.dims.{name}=1"
        for name, users in names.items()
        if name not in extents
    ]


def _unknown(names: Mapping[str, list[str]], extents: Mapping[str, int]) -> list[str]:
    known = f"open dimensions: {join_words(names, 'and')}" if names else "all dimensions of its inputs are fixed"
    return [
        f"no input has an open dimension {name!r} ({did_you_mean(name, names) or known})"
        for name in extents
        if name not in names
    ]
