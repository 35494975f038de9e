"""Statistics of softmax and normalisations are float32, whatever the format of the tensor."""

from __future__ import annotations

import numpy as np
import pytest

import ipusim
from ipusim.codelets.fused_map import converted_slots, operator_slots
from ipusim.codelets.reduce_rows import block_sum_cycles, finish_cycles, strided_cycles
from ipusim.ir.tensor import Tensor
from ipusim.ops.registry import find_op

TINY = ipusim.load_chip("tiny", tile_sram_bytes="256 KiB")
ROWS = {"rms_norm": 1, "layer_norm": 2}


def _run(op, x, vectors, tmp_path, chip=TINY, **attrs):
    np.save(tmp_path / "x.npy", x.astype(np.float32))
    tensors = {"x": {"shape": list(x.shape), "init": {"file": str(tmp_path / "x.npy")}}}
    names = [f"v{i}" for i in range(vectors)]
    tensors |= {name: {"shape": [x.shape[1]], "init": "ones"} for name in names}
    ops = [{"op": op, "inputs": ["x", *names], "output": "y", **attrs}]
    workload = {"name": "norm", "dtype": "float16", "tensors": tensors, "ops": ops}
    return ipusim.simulate(workload, chip, execute=True, verify=True, explain=False)


@pytest.mark.parametrize(("op", "shape"), [("rms_norm", (6, 640)), ("layer_norm", (6, 640))])
def test_mean_squares_beyond_float16_do_not_overflow(op, shape, tmp_path):
    x = (np.random.default_rng(0).standard_normal(shape) * 3000).astype(np.float16)
    run = _run(op, x, ROWS[op], tmp_path)
    assert (x.astype(np.float64) ** 2).mean() > 65504
    assert run.check["passed"]
    assert run.check["checked_fraction"] == 1.0
    assert run.outputs["y"].std() == pytest.approx(1.0, abs=0.01)


def test_batch_statistics_do_not_overflow(tmp_path):
    x = (np.random.default_rng(0).standard_normal((4, 6, 8, 8)) * 3000).astype(np.float16)
    run = _run("batch_norm_training", x, 2, tmp_path)
    assert run.check["passed"]
    assert run.outputs["y"].std() == pytest.approx(1.0, abs=0.01)


def test_a_row_of_one_element_has_no_statistics(tmp_path):
    run = _run("layer_norm", np.array([[1.5], [2.5]], dtype=np.float16), 2, tmp_path)
    assert run.check["passed"]
    assert run.outputs["y"].tolist() == [[1.0], [1.0]]


def test_functions_after_a_sum():
    x = np.array([[3.0, 4.0]])
    axes = {"axes": (1,), "keepdims": False, "dtype": "operand"}
    assert find_op("inverse_deviation").reference((x,), axes | {"epsilon": 0.0})[0] == pytest.approx(1 / 12.5**0.5)
    assert find_op("inverse_sum").reference((x,), axes)[0] == pytest.approx(1 / 7)
    wide = find_op("sum").infer((Tensor("x", (2, 3), "float16"),), axes | {"dtype": "float32"})
    assert wide == ((2,), "float32")


def test_costs_by_hand():
    # 28 rows of 2208: 276 groups of 8 over 6 workers
    assert block_sum_cycles(1, 28, 2208, False, 6) == 6 * (37 + 46 * (11 + 2 * 27))
    assert strided_cycles(1, 28, 2208, False, False, True, 6) == block_sum_cycles(1, 28, 2208, False, 6)
    # two results of each worker: addition of epsilon and inverse root
    assert finish_cycles(8, ("scale_shift", "rsqrt"), 6) == 6 * 2 * 5
    # widen four elements, subtract two pairs, narrow
    assert (converted_slots("subtract"), operator_slots("subtract", float_type=False)) == (5, 1)
