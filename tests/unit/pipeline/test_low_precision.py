"""Low precision end to end: errors against float64, stochastic rounding, and chips without a format."""

import numpy as np
import pytest

from ipusim.errors import BadInputError
from ipusim.pipeline.simulation import simulate

E4M3, E5M2 = "float8_e4m3fnuz", "float8_e5m2fnuz"
BF16_MODE = {
    "inputs": "bfloat16",
    "partials": "float32",
    "units": 16,
    "in_channels": 16,
    "cycles_per_row": 4,
    "worker_fill_slots": 18.5,
}


ONE_TILE = (
    "chip.n_tiles=1",
    "chip.tiles_per_exchange_bus=1",
    "chip.exchange_bus_sharing=false",
    "chip.tile_sram_bytes=16 MiB",
)


def product(m=32, k=256, n=48, dtype="float16", init="normal", rounding="nearest", seed=0, **attrs):
    tensors = {"w": {"shape": [m, k], "dtype": dtype, "init": init}, "x": {"shape": [k, n], "dtype": dtype}}
    if init != "normal":
        tensors["x"]["init"] = init
    ops = [{"op": "matmul", "inputs": ["w", "x"], "output": "y", **attrs}]
    return {"name": "t", "tensors": tensors, "ops": ops, "compile": {"rounding": rounding}, "seed": seed}


def root_mean_square_error(document, chip):
    """Return the error of a product against the float64 product of its own values, relative to its size."""
    run = simulate(document, chip, execute=True, verify=True)
    assert run.check["passed"]
    exact = simulate(
        {**document, "tensors": {k: v | {"dtype": "float32"} for k, v in document["tensors"].items()},
         "ops": [{**op, "partials": "float32"} for op in document["ops"]]}, "c600", execute=True,
    ).outputs["y"].astype(np.float64)  # fmt: skip
    error = run.outputs["y"].astype(np.float64) - exact
    return float(np.sqrt((error**2).mean() / (exact**2).mean()))


def test_errors_shrink_with_the_bits():
    errors = {
        name: root_mean_square_error(product(dtype=dtype, **attrs), "c600")
        for name, dtype, attrs in (
            ("e5m2", E5M2, {}),
            ("e4m3", E4M3, {}),
            ("float16", "float16", {"partials": "float16"}),
            ("float16 with float32 partials", "float16", {}),
        )
    }
    assert list(errors) == sorted(errors, key=errors.__getitem__, reverse=True)
    # two operands, each with an error uniform over a spacing of 2**-2 or 2**-3 of a number's binade
    assert errors["e5m2"] == pytest.approx(0.065, rel=0.25)
    assert errors["e4m3"] == pytest.approx(0.0325, rel=0.25)
    assert errors["e5m2"] / errors["e4m3"] == pytest.approx(2.0, rel=0.1)


def test_a_long_float16_sum_stagnates_to_nearest_and_not_stochastically():
    """Groups of 16 ones: at 32,768 the spacing of float16 is 32, so that adding 16 is a tie that goes to even."""
    results = {}
    for rounding in ("nearest", "stochastic"):
        document = product(2, 49152, 2, init="ones", partials="float16", rounding=rounding)
        document["tensors"]["w"]["shape"] = [16, 49152]
        run = simulate(document, "bow", execute=True, settings=ONE_TILE)
        results[rounding] = (run.outputs["y"], run.ops[0]["plan"]["partition"]["p_k"])
    (nearest, parts), (drawn, same_parts) = results["nearest"], results["stochastic"]
    assert parts == same_parts == 1
    assert (nearest == 32768.0).all()
    assert drawn.mean() == pytest.approx(49152, rel=0.02)
    assert (drawn != drawn[0, 0]).any()


def test_stochastic_results_depend_on_the_seed_alone():
    document = product(rounding="stochastic", partials="float16")
    runs = [simulate(document, "c600", execute=True, threads=threads).outputs["y"] for threads in (1, 2)]
    assert np.array_equal(*runs)
    document["tensors"] = {name: {**each, "init": "ones"} for name, each in document["tensors"].items()}
    thirds = {**document, "ops": [*document["ops"], {"op": "exp", "inputs": ["c"], "output": "z"}]}
    thirds["tensors"] = {**document["tensors"], "c": {"shape": [64, 64], "init": "ones"}}
    one, other = (simulate({**thirds, "seed": seed}, "c600", execute=True).outputs["z"] for seed in (0, 1))
    assert set(np.unique(one)) == {np.float32(np.float16(2.717)), np.float32(np.float16(2.719))}
    assert (one != other).any()
    assert one.mean() == pytest.approx(np.e, abs=2e-4)


@pytest.mark.parametrize("mode", ["static", "dynamic"])
@pytest.mark.parametrize("block_size", [1, 4])
def test_sparse_products_round_stochastically(mode, block_size):
    document = product(64, 64, 32, rounding="stochastic")
    document["tensors"]["w"]["sparsity"] = {"density": 0.25, "block_size": block_size, "mode": mode}
    for partials in ("float32", "float16") if block_size > 1 or mode == "static" else ("float32",):
        document["ops"][0]["partials"] = partials
        run = simulate(document, "bow", execute=True, verify=True, settings=["chip.n_tiles=16"])
        assert run.check["passed"]
        nearest = simulate({**document, "compile": {}}, "bow", execute=True, settings=["chip.n_tiles=16"])
        assert nearest.cycles == run.cycles
        assert not np.array_equal(nearest.outputs["y"], run.outputs["y"])


def test_a_layer_of_8_bits():
    document = product(64, 256, 96, dtype=E4M3)
    document["tensors"] |= {"b": {"shape": [64, 1]}, "v": {"shape": [32, 64], "dtype": E4M3, "scale": "auto"}}
    document["ops"] += [
        {"op": "add", "inputs": ["y", "b"], "output": "a"},
        {"op": "gelu", "inputs": ["a"], "output": "g"},
        {"op": "matmul", "inputs": ["v", "g"], "output": "z"},
    ]
    for rounding in ("nearest", "stochastic"):
        run = simulate({**document, "compile": {"rounding": rounding}}, "c600", execute=True, verify=True)
        assert run.check["passed"]
        assert run.check["worst_op"] == f"g.{E4M3}"
    assert run.memory["fits"]


def test_bfloat16_is_a_what_if():
    document = product(dtype="bfloat16", partials="float32")
    document["ops"].append({"op": "tanh", "inputs": ["y"], "output": "t"})
    modes = {"value": [BF16_MODE], "source": "what-if", "confidence": "assumed"}
    run = simulate(document, {"extends": "bow", "name": "b", "amp_modes": modes}, execute=True)
    assert run.check["passed"]
    assert (run.outputs["t"].view(np.uint32) & 0xFFFF == 0).all()
    with pytest.raises(BadInputError, match="partials float16 are narrower than the bfloat16 operands"):
        simulate(product(dtype="bfloat16", partials="float16"), "bow")


def test_a_chip_without_the_format_is_an_error_of_the_file(tmp_path):
    path = tmp_path / "w.yaml"
    path.write_text(
        "name: t\ntensors:\n  w: {shape: [8, 8]}\n  x: {shape: [8, 8], dtype: float8_e5m2fnuz}\n"
        "ops:\n  - {op: matmul, inputs: [w, x], output: y}\n"
    )
    with pytest.raises(BadInputError) as caught:
        simulate(path, "bow")
    (problem,) = caught.value.problems
    assert (problem.line, problem.path) == (4, "tensors.x.dtype")
    assert problem.message == "bow has no float8 AMP"
    assert problem.hint.startswith("c600 has")
    assert simulate(path, "c600").cycles
