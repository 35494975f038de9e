"""What every operator of the registry must offer; a new operator is picked up without a change here."""

from __future__ import annotations

import numpy as np
import pytest

from ipusim.ir.tensor import Tensor
from ipusim.ops.registry import find_op, op_names
from ipusim.ops.spec import OpSpec, ShapeError

REQUIRED_ATTRIBUTES = {"cast": {"to": "float16"}, "pow": {"exponent": 2.0}, "reshape": {"shape": (-1,)}}
REQUIRED_ATTRIBUTES |= {
    "clip": {"low": -0.5, "high": 0.5},
    "broadcast_to": {"shape": (3, 4, 5)},
    "depth_to_space": {"block": 2},
    "top_k": {"k": 3},
    "one_hot": {"depth": 5},
}
REQUIRED_ATTRIBUTES |= {f"{kind}_pool{rank}d": {"kernel": 2, "stride": 1} for kind in ("max", "avg") for rank in (1, 2)}
BLUR = ((1 / 16, 1 / 8, 1 / 16), (1 / 8, 1 / 4, 1 / 8), (1 / 16, 1 / 8, 1 / 16))
REQUIRED_ATTRIBUTES |= {"stencil2d": {"coefficients": BLUR}, "stencil3d": {"coefficients": (BLUR,) * 3}}
ONE_PER_COLUMN = {"layer_norm", "rms_norm", "batch_norm", "batch_norm_training", "group_norm"}

# Operators that need more than two dimensions: shapes of their operands for an extent.
SHAPES = {
    "spmv": lambda extent: ((extent, extent), (extent,)),
    "stencil3d": lambda extent: ((extent, extent, extent),),
    "conv1d": lambda extent: ((2, 3, extent), (5, 3, 2)),
    **dict.fromkeys(("avg_pool1d", "max_pool1d"), lambda extent: ((2, 3, extent),)),
    **dict.fromkeys(("avg_pool2d", "max_pool2d"), lambda extent: ((2, 3, extent, extent),)),
    "broadcast_to": lambda _extent: ((1, 1),),
    "scatter_add": lambda extent: ((extent, 3), (extent, 3), (extent,)),
    "depth_to_space": lambda extent: ((2, 8, extent, extent),),
    "global_avg_pool": lambda extent: ((2, 3, extent, extent),),
    "conv2d": lambda extent: ((2, 3, extent, extent), (5, 3, 2, 2)),
}


def attributes(spec: OpSpec) -> dict[str, object]:
    defaults = {each.name: each.default for each in spec.attributes}
    return defaults | REQUIRED_ATTRIBUTES.get(spec.name, {})


def operands(spec: OpSpec, dtype: str = "float16", extent: int = 4) -> tuple[Tensor, ...]:
    """Return what the operator needs: square matrices, or one and then vectors with one element per column."""
    if spec.name in SHAPES:
        shapes = SHAPES[spec.name](extent)
        return tuple(
            Tensor(name, shape, "int32" if position in spec.whole_inputs else dtype)
            for position, (name, shape) in enumerate(zip(spec.inputs, shapes, strict=True))
        )
    rank = {name: 1 if position and spec.name in ONE_PER_COLUMN else 2 for position, name in enumerate(spec.inputs)}
    rank |= dict.fromkeys(spec.inputs, 3) if spec.name == "attention" else {}
    formats = dict.fromkeys(spec.whole_inputs, "int32")
    return tuple(
        Tensor(name, (extent,) * rank[name], formats.get(position, dtype)) for position, name in enumerate(spec.inputs)
    )


def floats(spec: OpSpec) -> tuple[int, ...]:
    """Return the positions of the operands that are no whole numbers."""
    return tuple(position for position in range(len(spec.inputs)) if position not in spec.whole_inputs)


def test_the_first_operators_are_there() -> None:
    assert {"add", "cast", "matmul", "relu"} <= set(op_names())


def test_names_are_sorted_and_machinery_is_not_an_operator() -> None:
    assert list(op_names()) == sorted(op_names())
    assert not {"spec", "registry", "elementwise", "__init__"} & set(op_names())


def test_unknown_operator_is_a_key_error() -> None:
    with pytest.raises(KeyError):
        find_op("spec")


@pytest.mark.parametrize("name", op_names())
def test_description_is_complete(name: str) -> None:
    spec = find_op(name)
    assert spec.name == name
    assert spec.summary
    assert spec.inputs
    assert len(set(spec.inputs)) == len(spec.inputs)
    assert all(0 <= position < len(spec.inputs) for position in spec.sparse_inputs)
    reserved = {"op", "inputs", "output", "name"}
    assert not reserved & {each.name for each in spec.attributes}
    for each in spec.attributes:
        assert each.schema()["description"]
        assert each.default is None or each.read(each.default) == each.default
        with pytest.raises(ValueError, match="expected"):
            each.read(object())


@pytest.mark.parametrize("name", op_names())
def test_shape_rule_and_reference_agree(name: str) -> None:
    spec = find_op(name)
    attrs = attributes(spec)
    inputs = operands(spec)
    shape, dtype = spec.infer(inputs, attrs)
    generator = np.random.default_rng(0)
    arrays = tuple(
        generator.integers(0, 4, tensor.shape) * 1.0 if tensor.dtype == "int32" else generator.random(tensor.shape)
        for tensor in inputs
    )
    copies = tuple(array.copy() for array in arrays)
    result = spec.reference(arrays, attrs)
    assert result.shape == shape
    assert result.dtype == np.float64
    assert isinstance(dtype, str)
    for array, copy in zip(arrays, copies, strict=True):
        np.testing.assert_array_equal(array, copy)


@pytest.mark.parametrize("name", op_names())
def test_flops_are_whole_and_grow_with_the_operands(name: str) -> None:
    spec = find_op(name)
    attrs = attributes(spec)

    def flops(extent: int) -> int:
        inputs = operands(spec, extent=extent)
        shape, dtype = spec.infer(inputs, attrs)
        return spec.flops(inputs, (Tensor("out", shape, dtype),), attrs, tuple(t.n_elements for t in inputs))

    assert isinstance(flops(4), int)
    assert 0 <= flops(4) <= flops(8)


@pytest.mark.parametrize("name", [name for name in op_names() if len(floats(find_op(name))) > 1])
def test_mixed_number_formats_are_refused(name: str) -> None:
    spec = find_op(name)
    first, *rest = operands(spec)
    mixed = (first, *(Tensor(t.name, t.shape, "int32" if t.dtype == "int32" else "float32") for t in rest))
    with pytest.raises(ShapeError, match="number formats") as caught:
        spec.infer(mixed, attributes(spec))
    assert caught.value.operand == 1
    assert "cast" in caught.value.hint
