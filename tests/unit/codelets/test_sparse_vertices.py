import csv
from pathlib import Path

import pytest

from ipusim.codelets.cast_1d import planner_cast_cycles
from ipusim.codelets.reduce_add import multi_input_cycles
from ipusim.codelets.sparse_block_transpose_grad_w import block_transpose_grad_w_cycles
from ipusim.codelets.sparse_bucket_transpose import bucket_transpose_cycles
from ipusim.codelets.sparse_gather import gather_cycles
from ipusim.codelets.sparse_zero import zero_estimate_cycles, zero_executed_cycles
from ipusim.kernels.jit import compiled

VECTORS = Path(__file__).parents[2] / "data" / "vectors" / "sparse_small.csv"
ROWS = [(r["kind"], r["params"], int(r["cycles"])) for r in csv.DictReader(VECTORS.open())]


def identity(function):
    return function


def cycles(kind, params, use=identity):
    p = {name: int(value) for name, value in (item.split("=") for item in params.split(";"))}
    is_float = p.get("float") == 1
    match kind:
        case "gather":
            return use(gather_cycles)(p["num_indices"], is_float, 6)
        case "block_transpose_gradW":
            return use(block_transpose_grad_w_cycles)(p["num_blocks"], p["num_z"], p["block"], is_float, 6)
        case "bucket_transpose":
            return use(bucket_transpose_cycles)(p["num_transposes"], p["rows"], p["cols"], is_float, 6)
        case "reduce":
            formats = (p["out_float"] == 1, p["partials_float"] == 1)
            return use(multi_input_cycles)(p["out_size"], p["depth"], *formats, 6)
        case "cast":
            return use(planner_cast_cycles)(p["out_size"], p["vec_partials"], p["vec_out"], 6)
        case "zero_partials":
            return use(zero_estimate_cycles)(p["partials_per_worker"], 6)
    raise AssertionError(kind)


@pytest.mark.parametrize(("kind", "params", "expected"), ROWS)
def test_every_vector_of_the_published_estimators(kind, params, expected):
    assert cycles(kind, params) == expected


def test_compiled_formulas_are_the_same():
    for kind, params, expected in ROWS:
        assert cycles(kind, params, compiled) == expected


def test_golden_values():
    assert multi_input_cycles(100, 4, True, True, 6) == 762
    assert multi_input_cycles(100, 4, False, False, 6) == 546
    assert multi_input_cycles(96, 8, False, True, 6) == 912
    assert gather_cycles(100, False, 6) == 324
    assert gather_cycles(100, True, 6) == 330
    assert block_transpose_grad_w_cycles(12, 64, 16, False, 6) == 4818
    assert block_transpose_grad_w_cycles(12, 64, 8, True, 6) == 5154


def test_zeroing_is_one_store_per_64_bits_and_14_slots():
    assert zero_executed_cycles(600, 2, 6) == 6 * (14 + 50)
    assert zero_executed_cycles(0, 2, 6) == 84
