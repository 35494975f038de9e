"""Every workload that comes with ipusim runs from the command line, and says what it should."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from ipusim.cli.progress import COMPILING
from ipusim.pipeline.simulation import simulate

_FOLDER = Path(__file__).parents[2] / "workloads"
_WORKLOADS = [path for path in _FOLDER.rglob("*.yaml") if path.parent.name != "explore"]
_FILES = sorted(path.relative_to(_FOLDER).as_posix() for path in _WORKLOADS)
_NETWORKS = {name for name in _FILES if "\nmodel:" in (_FOLDER / name).read_text()} - {"networks/dlrm.yaml"}
_SINGLE = [name for name in _FILES if name not in _NETWORKS]
_INFEASIBLE = {"dense/too-large.yaml"}
_CROWDED = {f"networks/{name}.yaml" for name in ("bert-large", "crowded-encoder", "gpt2-decode")}  # take levers
_TOO_LARGE = {"networks/giant-layer.yaml", "training/ffn.yaml"}  # to be executed
_SLOW = {
    "dense/matmul-4096-float16.yaml",
    "dense/matmul-4096-float32.yaml",
    "networks/streamed-mlp.yaml",
    "networks/crowded-encoder.yaml",
}


def _run(*arguments, command="run"):
    words = [sys.executable, "-P", "-m", "ipusim", command, *arguments]
    done = subprocess.run(words, capture_output=True, text=True, timeout=600)
    done.stderr = done.stderr.replace(f"{COMPILING}\n", "")
    return done


def _marked(names):
    return [pytest.param(name, marks=[pytest.mark.slow] if name in _SLOW else []) for name in names]


@pytest.mark.parametrize("name", _marked(name for name in _SINGLE if name not in _INFEASIBLE | _TOO_LARGE))
def test_runs_and_passes_its_check(name):
    done = _run(str(_FOLDER / name), "--json")
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    result = json.loads(done.stdout)
    assert result["check"]["executed"]
    assert result["check"]["passed"]
    assert result["cycles"] == sum(result["cycles_by_phase"].values())
    assert sum(op["cycles"] for op in result["ops"]) == result["cycles"]
    assert 0 < result["fraction_of_peak"] < 1
    assert result["memory"]["fits"]
    assert result["memory"]["max_tile_bytes"] <= result["memory"]["tile_sram_bytes"]


@pytest.mark.slow
def test_passes_of_training_run_with_a_dynamic_weight():
    done = _run(str(_FOLDER / "sparse/training-passes.yaml"), "--json", "--set", "tensors.w.sparsity.mode=dynamic")
    assert (done.returncode, done.stderr) == (0, "")
    result = json.loads(done.stdout)
    assert result["check"]["passed"]
    passes = {op["name"]: op["plan"]["pass"] for op in result["ops"]}
    assert passes == {"y": "forward", "dx": "transposed", "dw": "weight gradient"}
    assert len({op["plan"]["bucket_bytes"] for op in result["ops"]}) == 1


@pytest.mark.parametrize("name", sorted(_INFEASIBLE))
def test_what_does_not_fit_is_a_result(name):
    done = _run(str(_FOLDER / name), "--json")
    assert (done.returncode, done.stderr) == (1, "")
    infeasible = json.loads(done.stdout)["infeasible"]
    assert infeasible["gap_bytes"] == infeasible["demand_bytes"] - infeasible["capacity_bytes"] > 0
    assert infeasible["terms"]
    assert infeasible["levers"]


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(_NETWORKS))
def test_whole_networks_fit(name):
    run = simulate(_FOLDER / name, explain=False)
    assert run.infeasible is None
    assert run.cycles == sum(op["cycles"] for op in run.to_dict()["ops"])
    assert bool(run.compiled.levers_taken) == (name in _CROWDED)


@pytest.mark.parametrize("name", _SINGLE)
def test_the_report_fits_80_columns(name):
    done = _run(str(_FOLDER / name), "--no-execute")
    assert done.returncode == (name in _INFEASIBLE), done.stderr
    lines = done.stdout.splitlines()
    assert len(lines) > 5
    assert max(map(len, lines)) <= 80


def test_the_same_file_gives_the_same_bytes():
    outputs = {_run(str(_FOLDER / "dense" / "tiny.yaml"), "--json").stdout for _ in range(2)}
    assert len(outputs) == 1


def test_a_packaged_workload_is_found_by_name():
    assert "on tiny" in _run("dense/tiny", "--no-execute").stdout


@pytest.mark.parametrize("stage", ["graph", "plan", "program", "memory"])
def test_compile_prints_every_stage(stage):
    done = _run("quickstart", "--print", stage, command="compile")
    assert (done.returncode, done.stderr) == (0, "")
    assert len(done.stdout.splitlines()) > 3


@pytest.mark.slow
def test_a_training_of_a_template_has_costs():
    done = _run("training/bert-block-sparse", "--no-execute", command="train")
    assert (done.returncode, done.stderr) == (0, "")
    assert "14,175,744 weights and biases, 41.7 % kept" in done.stdout
    assert max(map(len, done.stdout.splitlines())) <= 80


def test_the_compiler_says_what_it_did_to_make_it_fit():
    done = _run(str(_FOLDER / "networks/crowded-encoder.yaml"), "--json", "--no-execute")
    result = json.loads(done.stdout)
    assert result["memory"]["fits"]
    assert result["levers_taken"]
    assert all(lever["targets"] and lever["added_cycles"] >= 0 for lever in result["levers_taken"])
    refused = _run(str(_FOLDER / "networks/crowded-encoder.yaml"), "--no-execute", "--set", "compile.levers=none")
    assert refused.returncode == 1
    assert "DOES NOT FIT" in refused.stdout


def test_a_giant_layer_takes_the_time_of_its_bytes():
    result = json.loads(_run(str(_FOLDER / "networks/giant-layer.yaml"), "--json", "--no-execute").stdout)
    assert result["memory"]["fits"]
    bytes_s = 2 * 32768**2 / result["constants"]["dram_bytes_per_s"]
    assert bytes_s < result["seconds"] < 1.02 * bytes_s
