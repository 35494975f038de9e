import csv
from pathlib import Path

import pytest

from ipusim.codelets.dynamic_block import block_cycles
from ipusim.codelets.dynamic_block_grad_w import amp_grad_w_cycles, block_grad_w_cycles
from ipusim.codelets.dynamic_element_wise import forward_cycles, grad_a_cycles
from ipusim.codelets.dynamic_element_wise_grad_w import grad_w_cycles
from ipusim.codelets.dynamic_element_wise_transpose import transpose_cycles
from ipusim.kernels.jit import compiled

VECTORS = Path(__file__).parents[2] / "data" / "vectors" / "dynamic_sparse.csv"
ROWS = list(csv.DictReader(VECTORS.open()))


def identity(function):
    return function


def cycles(row, use=identity):
    n_buckets, own, sub_groups = (
        int(row[name]) for name in ("num_buckets", "num_buckets_for_pn", "subgroups_per_bucket")
    )
    n_rows, z, block = (int(row[name]) for name in ("num_x_rows_or_blocks", "num_z_per_call", "block"))
    lengths = [int(length) for length in row["y_list"].split()]
    lists, total = len(lengths), sum(lengths)
    shared = sum(-(-length // 6) for length in lengths)
    float_input, float_partials = row["float_in"] == "1", row["float_partials"] == "1"
    units = int(row["conv_units"] or 0)
    match row["kind"]:
        case "ew_fwd":
            return use(forward_cycles)(n_buckets, own, sub_groups, n_rows, z, lists, total, float_input, 6)
        case "ew_gradA":
            return use(grad_a_cycles)(n_buckets, own, sub_groups, n_rows, z, lists, total, float_input, 6)
        case "ew_transpose":
            return use(transpose_cycles)(n_buckets, own, sub_groups, n_rows, z, lists, shared, float_input, 6)
        case "ew_gradW":
            return use(grad_w_cycles)(own, sub_groups, n_rows, z, total, float_input, 6)
        case "block_fwd":
            formats = (block, float_input, float_partials, units, row["retain_x"] == "1", 6)
            return use(block_cycles)(n_buckets, own, sub_groups, n_rows, z, total, *formats)
        case "block_gradW":
            return use(block_grad_w_cycles)(own, sub_groups, n_rows, z, total, block, float_input, float_partials, 6)
        case "block_gradW_amp":
            formats = (block, float_input, float_partials, units, 6)
            return use(amp_grad_w_cycles)(own, sub_groups, n_rows, z, lists, total, *formats)
    raise AssertionError(row["kind"])


@pytest.mark.parametrize("row", ROWS, ids=lambda row: f"{row['kind']}-{row['cycles']}")
def test_every_vector_of_the_published_estimators(row):
    assert cycles(row) == int(row["cycles"])


def test_compiled_formulas_are_the_same():
    for row in ROWS:
        assert cycles(row, compiled) == int(row["cycles"])


def test_golden_element_wise():
    assert forward_cycles(1, 1, 1, 10, 8, 1, 5, False, 6) == 2091
    assert forward_cycles(1, 1, 1, 10, 16, 1, 5, False, 6) == 3801
    assert forward_cycles(2, 1, 2, 7, 13, 1, 20, False, 6) == 8472
    assert forward_cycles(1, 1, 1, 10, 4, 1, 5, True, 6) == 1953
    assert forward_cycles(1, 1, 1, 10, 7, 1, 5, True, 6) == 6243


@pytest.mark.parametrize(
    ("block", "float_input", "float_partials", "units", "retain_x", "expected"),
    [
        (16, False, False, 16, True, 4900),
        (16, False, True, 8, True, 9010),
        (8, False, False, 16, True, 4186),
        (4, False, True, 8, True, 2836),
        (8, True, True, 16, False, 7110),
    ],
)
def test_golden_blocks(block, float_input, float_partials, units, retain_x, expected):
    assert block_cycles(1, 1, 1, 4, 8, 3, block, float_input, float_partials, units, retain_x, 6) == expected
