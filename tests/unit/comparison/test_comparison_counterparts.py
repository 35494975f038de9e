import pytest

from ipusim.comparison.base import condition_workload, load_base, point_workload
from ipusim.comparison.points import Condition, Point
from ipusim.comparison.run import compare
from ipusim.errors import BadInputError
from ipusim.frontends.workload import load_workload

AS_IT_IS = Condition(None, None, "")


def training(batch=(), **gradient):
    return {
        "name": "passes",
        "chip": "bow",
        "dtype": "float16",
        "tensors": {
            "w": {"shape": [128, 96], "sparsity": {"density": "1/4", "block_size": 8, "mode": "static"}},
            "x": {"shape": [*batch, 96, 64]},
            "dy": {"shape": [*batch, 128, 64]},
        },
        "ops": [
            {"op": "matmul", "inputs": ["w", "x"], "output": "y", "partials": "float16"},
            {"op": "matmul_at_nonzeros", "inputs": ["dy", "x", "w"], "output": "dw", **gradient},
        ],
        "outputs": ["y", "dw"],
    }


@pytest.mark.parametrize("given", [{"partials": "float16"}, {}])
def test_the_dense_gradient_is_a_matmul(given):
    base = load_base(load_workload(training(**given)), ())
    dense = condition_workload(base, AS_IT_IS)
    op = dense.ops[1]
    assert (op.op, op.inputs, op.output) == ("matmul", ("dy", "x"), "dw")
    assert op.model_extra["transpose_b"] is True
    assert op.model_extra["partials"] == given.get("partials", "float32")
    sparse = point_workload(base, dense, Point(AS_IT_IS, "dynamic", 4, 0.5), own_density=False)
    assert (sparse.ops[1].op, sparse.ops[1].inputs) == ("matmul_at_nonzeros", ("dy", "x", "w"))
    assert "transpose_b" not in sparse.ops[1].model_extra


def test_another_format_changes_the_partial_sums_of_the_gradient():
    base = load_base(load_workload(training(partials="float16")), ())
    asked = Condition(None, None, "float32")
    sparse = point_workload(base, condition_workload(base, asked), Point(asked, "static", 4, 0.5), own_density=False)
    assert sparse.ops[1].model_extra["partials"] == "float32"


def test_passes_are_compared():
    found = compare(training(), densities="1/4", modes="static,dynamic", block_sizes="8", workers=1)
    rows = {row["mode"]: row for row in found.rows}
    assert [rows[mode]["status"] for mode in ("dense", "static", "dynamic")] == ["ok"] * 3
    assert rows["static"]["flops"] * 4 == rows["dense"]["flops"]


def test_a_batch_has_no_dense_counterpart():
    with pytest.raises(BadInputError, match="no matmul adds up"):
        load_base(load_workload(training(batch=(2,))), ())
