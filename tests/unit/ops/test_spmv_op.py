"""Products of a sparse matrix and a vector, against SciPy."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.io
import scipy.sparse

import ipusim
from ipusim.ir.tensor import Tensor
from ipusim.ops.registry import find_op
from ipusim.ops.spec import ShapeError

TINY = ipusim.load_chip("tiny", tile_sram_bytes="256 KiB")
ATTRS = {"transpose": False, "partials": "float32"}


@pytest.mark.parametrize(("mode", "transpose"), [("static", False), ("static", True), ("dynamic", False)])
def test_values_are_scipys(mode, transpose, tmp_path):
    rng = np.random.default_rng(0)
    a = scipy.sparse.random(48, 32, density=0.1, format="coo", random_state=rng)
    scipy.io.mmwrite(tmp_path / "a.mtx", a)
    x = rng.standard_normal(48 if transpose else 32).astype(np.float32)
    np.save(tmp_path / "x.npy", x)
    sparsity = {"block_size": 1, "mode": mode, "pattern": {"file": str(tmp_path / "a.mtx")}}
    workload = {
        "name": "spmv",
        "dtype": "float32",
        "tensors": {
            "a": {"shape": [48, 32], "sparsity": sparsity},
            "x": {"shape": [len(x)], "init": {"file": str(tmp_path / "x.npy")}},
        },
        "ops": [{"op": "spmv", "inputs": ["a", "x"], "output": "y", "transpose": transpose}],
        "outputs": ["y"],
    }
    run = ipusim.simulate(workload, TINY, execute=True, verify=True, explain=False)
    assert run.check["passed"]
    assert run.flops == 2 * a.nnz
    expected = (a.T if transpose else a) @ x.astype(np.float64)
    np.testing.assert_allclose(run.outputs["y"], expected, rtol=1e-5, atol=1e-6)


def test_shapes():
    spmv, a = find_op("spmv"), Tensor("a", (4, 6), "float16")
    assert spmv.infer((a, Tensor("x", (6,), "float16")), ATTRS) == ((4,), "float16")
    assert spmv.infer((a, Tensor("x", (4,), "float16")), ATTRS | {"transpose": True}) == ((6,), "float16")
    with pytest.raises(ShapeError, match=r"a \[4, 6\] has 6 columns, x \[4\] has 4 elements"):
        spmv.infer((a, Tensor("x", (4,), "float16")), ATTRS)
    with pytest.raises(ShapeError, match=r"needs a vector \[k\], but x \[6, 1\] has 2 dimensions"):
        spmv.infer((a, Tensor("x", (6, 1), "float16")), ATTRS)
