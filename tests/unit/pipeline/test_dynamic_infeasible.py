import pytest

import ipusim


def document(shape, n, **sparsity):
    return {
        "name": "test",
        "dtype": "float16",
        "tensors": {"w": {"shape": shape, "sparsity": {"mode": "dynamic", **sparsity}}, "x": {"shape": [shape[1], n]}},
        "ops": [{"op": "matmul", "inputs": ["w", "x"], "output": "y"}],
        "outputs": ["y"],
    }


OVERFLOW = document([256, 256], 4, density="1/8", pattern={"n_m": {"n": 1, "m": 8}}, oversize=0)


def test_full_buckets_are_a_result_and_the_lever_helps():
    run = ipusim.simulate(OVERFLOW, "bow")
    found = run.infeasible
    assert found["constraint"].startswith("bucket of w: ")
    assert "do not fit the buckets" in found["constraint"]
    assert found["gap_bytes"] == found["demand_bytes"] - found["capacity_bytes"] > 0
    assert sum(found["terms"].values()) == found["demand_bytes"]
    assert run.cycles is None
    assert not run.memory["fits"]
    (lever, *_) = found["levers"]
    assert lever.startswith("tensors.w.sparsity.oversize=")
    assert ipusim.simulate(OVERFLOW, "bow", settings=[lever], explain=False).infeasible is None
    assert run.to_dict()["infeasible"] == found


def test_without_explanation_no_lever_is_tried():
    assert ipusim.simulate(OVERFLOW, "bow", explain=False).infeasible["levers"] == []


def test_more_non_zeros_than_declared(tmp_path):
    (tmp_path / "w.mtx").write_text(
        "%%MatrixMarket matrix coordinate pattern general\n64 64 96\n"
        + "".join(f"{row + 1} {(7 * row + 5 * part) % 64 + 1}\n" for row in range(48) for part in range(2))
    )
    described = document([64, 64], 16, density="1/64", pattern={"file": str(tmp_path / "w.mtx")})
    found = ipusim.simulate(described, "bow").infeasible
    assert "the pattern has 96 non-zero blocks, 64 were declared" in found["constraint"]
    assert (found["demand_bytes"], found["capacity_bytes"]) == (96 * 2, 64 * 2)
    assert found["levers"][0] == "tensors.w.sparsity.density=3/128"
    run = ipusim.simulate(described, "bow", settings=[found["levers"][0]], explain=False)
    assert run.infeasible is None


@pytest.mark.parametrize("chip", ["tiny"])
def test_what_does_not_fit_the_memory(chip):
    found = ipusim.simulate(document([256, 256], 64, density="1/2", block_size=4), chip).infeasible
    assert found["constraint"] == "tile_sram_bytes"
    assert found["demand_bytes"] > found["capacity_bytes"]
    assert found["levers"]
