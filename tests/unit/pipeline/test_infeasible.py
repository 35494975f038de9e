"""What does not fit is a result: what was demanded, what there is, and levers that do make it fit."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
from handmade import document, problem_of
from hypothesis import given, settings
from hypothesis import strategies as st

import ipusim
from ipusim.chip.load import load_chip
from ipusim.pipeline import infeasible
from ipusim.pipeline.compiling import changed_chip, compile_workload

TINY = load_chip("tiny")
FURTHER = ["tensors.x.shape", "tile_sram_bytes", "n_tiles"]
KEYS = {"constraint", "demand_bytes", "capacity_bytes", "gap_bytes", "tile", "terms", "levers"}


def _setting(lever):
    """Return the part of a lever that a user would pass to ``--set``."""
    return lever.partition(" ")[0]


def _check_levers(workload, chip, levers):
    assert levers
    for lever in levers:
        run = ipusim.simulate(workload, chip, settings=[_setting(lever)], explain=False)
        assert run.infeasible is None, lever
        assert run.memory["fits"]


@pytest.mark.parametrize(
    ("shape", "dtype", "names"),
    [
        # The result and the operands fit beside smaller temporaries.
        ((80, 80, 80), "float16", ["compile.available_memory_proportion", "compile.levers", *FURTHER]),
        ((96, 96, 96), "float16", ["compile.levers", *FURTHER]),
        # More than the chip holds: no plan at all.
        ((256, 256, 256), "float32", ["tile_sram_bytes", "n_tiles"]),
    ],
)
def test_levers_make_it_fit(shape, dtype, names):
    workload = {**document(problem_of(*shape, dtype)), "compile": {"levers": "none"}}
    found = ipusim.simulate(workload, TINY).infeasible
    assert set(found) == KEYS
    assert found["constraint"] == "tile_sram_bytes"
    assert found["capacity_bytes"] == TINY.tile_sram_bytes
    assert found["gap_bytes"] == found["demand_bytes"] - found["capacity_bytes"] > 0
    assert sum(found["terms"].values()) == found["demand_bytes"]
    assert 0 <= found["tile"] < TINY.n_tiles
    assert [lever.partition("=")[0] for lever in found["levers"]] == names
    _check_levers(workload, TINY, found["levers"])


@given(*(st.integers(1, 130) for _ in range(3)), st.sampled_from(("float16", "float32")))
@settings(max_examples=25, deadline=None)
def test_it_fits_or_it_says_what_is_missing(m, k, n, dtype):
    workload = document(problem_of(m, k, n, dtype))
    run = ipusim.simulate(workload, TINY, explain=False)
    assert (run.infeasible is None) == run.memory["fits"] == (run.memory["max_tile_bytes"] <= TINY.tile_sram_bytes)
    assert (run.cycles is None) == (run.infeasible is not None)
    if run.infeasible:
        assert run.infeasible["demand_bytes"] == run.memory["max_tile_bytes"] == sum(run.infeasible["terms"].values())
        assert run.infeasible["levers"] == []


def test_a_chip_without_the_amp_mode_says_which_it_has():
    halves = [mode.model_dump(mode="json") for mode in TINY.amp_modes if mode.inputs == "float16"]
    run = ipusim.simulate(document(problem_of(8, 8, 8, "float32")), TINY.replace(amp_modes=halves))
    found = run.infeasible
    assert found["constraint"] == "the AMP of tiny cannot multiply float32 with float32 partials"
    assert found["levers"] == ["formats that it can: float16 with float16 partials, float16 with float32 partials"]
    assert (found["demand_bytes"], found["gap_bytes"], found["terms"]) == (0, 0, {})
    assert run.to_dict()["infeasible"] == found


def test_a_chain_without_a_matmul_can_be_too_large_as_well():
    workload = {
        "name": "activation",
        "dtype": "float32",
        "tensors": {"x": {"shape": [128, 128]}},
        "ops": [{"op": "relu", "inputs": ["x"], "output": "y"}],
        "outputs": ["y"],
    }
    found = ipusim.simulate(workload, TINY).infeasible
    # 128 * 128 elements of 4 B, twice, on 4 tiles.
    assert found["demand_bytes"] == 32768
    assert found["terms"] == {"tensors of x": 16384, "tensors of y": 16384}
    assert found["levers"] == [
        "dtype=float16",
        "tensors.x.shape=[64,128] (1/2 of the batch)",
        "tile_sram_bytes=32768 (2 times the SRAM of a tile)",
        "n_tiles=8 (2 times the tiles)",
    ]
    _check_levers(workload, TINY, found["levers"])


def test_levers_stay_within_what_a_chip_can_be():
    workload = {
        "name": "activation",
        "dtype": "float16",
        "tensors": {"x": {"shape": [40000, 40000]}},
        "ops": [{"op": "relu", "inputs": ["x"], "output": "y"}],
        "outputs": ["y"],
    }
    chip = TINY.replace(n_tiles=600_000, tile_sram_bytes=8192)
    found = ipusim.simulate(workload, chip).infeasible
    assert found["levers"] == [
        "tensors.x.shape=[20000,40000] (1/2 of the batch)",
        "tile_sram_bytes=16384 (2 times the SRAM of a tile)",
    ]
    assert changed_chip(chip, n_tiles=1_200_000) is None


def test_where_no_lever_helps_it_says_so():
    workload = document(problem_of(4096, 4096, 4096, "float32"))
    found = ipusim.simulate(workload, TINY).infeasible
    assert found["levers"] == [
        "none of: a smaller available_memory_proportion, a 64th of the batch, 64 times the SRAM of a tile, "
        "64 times the tiles"
    ]


def test_what_does_not_fit_is_a_complete_result():
    result = ipusim.simulate(
        document(problem_of(256, 256, 256, "float32")), TINY, execute=True, explain=False
    ).to_dict()
    for key in ("cycles", "seconds", "tflops", "fraction_of_peak", "supersteps"):
        assert result[key] is None, key
    assert result["flops"] == 2 * 256**3
    assert not result["check"]["executed"]
    assert result["cycles_by_phase"] == {"compute": None, "exchange": None, "sync": None}
    assert not result["memory"]["fits"]
    assert [op["cycles"] for op in result["ops"]] == [None]


def test_more_tiles_are_tried_as_long_as_they_can_help(monkeypatch):
    tried = []

    def fullest_tile(_workload, chip, _graph, **_options):
        tried.append(chip.n_tiles)
        return SimpleNamespace(fits=False, memory=SimpleNamespace(max_tile_bytes=50_000 + 400_000 // chip.n_tiles))

    compiled = compile_workload(document(problem_of(64, 64, 64, "float32")), TINY)
    crowded = replace(compiled, memory=replace(compiled.memory, peak_bytes=np.full(4, 150_000)))
    monkeypatch.setattr(infeasible, "compile_graph", fullest_tile)
    # Of 50 kB + 400 kB / tiles, no number of tiles of 16 KiB leaves room: after one doubling that is plain.
    assert infeasible._more_tiles(crowded) == []
    assert tried == [8]


def test_a_smaller_batch_of_a_model_helps():
    workload = {
        "name": "layers",
        "dtype": "float16",
        "model": {"mlp": {"features": [16, 16, 16], "batch": 2048}},
        "compile": {"levers": "none"},
    }
    levers = ipusim.simulate(workload, TINY).infeasible["levers"]
    assert any(lever.startswith("model.mlp.batch=") for lever in levers)
    _check_levers(workload, TINY, levers)
