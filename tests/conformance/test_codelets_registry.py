import pytest

from ipusim.codelets.registry import codelet, codelet_names

DENSE = [
    "amp_1x1",
    "amp_nx1",
    "binary_1d",
    "broadcast_scalar_1d",
    "broadcast_vector_outer",
    "cast_1d",
    "dynamic_slice_1d",
    "dynamic_slice_2d",
    "fill_1d",
    "hmac",
    "inverse_std_dev",
    "multi_slice",
    "multi_update_add",
    "nonlinearity_1d",
    "nonlinearity_grad_1d",
    "outer_product",
    "reduce_add",
    "reduce_continuous",
    "reduce_general_2d",
    "reduce_max_class_gather",
    "reduce_single_input",
    "reduce_strided",
    "scaled_add_1d",
    "select",
    "slic",
    "unary_1d",
    "vmac",
]


def test_every_dense_vertex_type_is_found() -> None:
    assert set(DENSE) <= set(codelet_names())


def test_modules_without_a_codelet_are_no_vertex_types() -> None:
    assert not {"registry", "op_constants", "reduce_common"} & set(codelet_names())


@pytest.mark.parametrize("name", codelet_names())
def test_names_fields_and_sources(name: str) -> None:
    entry = codelet(name)
    assert entry.name == name
    assert entry.fields
    assert len(set(entry.fields)) == len(entry.fields)
    assert all(field.isidentifier() for field in entry.fields)
    assert entry.source


@pytest.mark.parametrize("name", ["no_such_vertex", "registry", "os", ".."])
def test_an_unknown_name_is_answered_with_the_known_ones(name: str) -> None:
    with pytest.raises(KeyError, match="amp_1x1"):
        codelet(name)
