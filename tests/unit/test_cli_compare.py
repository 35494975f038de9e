import csv
import json
import os
import signal
import subprocess
import sys
from types import SimpleNamespace

import pytest

from ipusim.cli.main import main
from ipusim.comparison import run as comparison_run
from ipusim.frontends.build import build_graph

_SWEEP = comparison_run.Sweep
_WORKLOAD = """\
name: small
tensors:
  w: {shape: [64, 32]}
  x: {shape: [32, 16]}
ops:
  - {op: matmul, inputs: [w, x], output: y}
"""


def _simulate(workload, chip):
    (sparsity,) = [tensor.sparsity for tensor in build_graph(workload).tensors.values() if tensor.name == "w"]
    cycles = 1000 if sparsity is None else int(16_000 * sparsity.density / sparsity.block_size)
    return SimpleNamespace(
        cycles=cycles,
        seconds=cycles / chip.clock_hz,
        flops=65536,
        energy_j=None,
        energy_by_component=None,
        cycles_by_phase={"compute": cycles - 2, "exchange": 1, "sync": 1},
        memory={"max_tile_bytes": 500, "tile_sram_bytes": 1000},
        ops=[],
        infeasible=None,
        uncertainty=None,
    )


def _nothing_fits(_workload, _chip):
    infeasible = {"constraint": "tile_sram_bytes", "demand_bytes": 2000, "capacity_bytes": 1000}
    phases = {"compute": None}
    memory = {"max_tile_bytes": 2000, "tile_sram_bytes": 1000}
    return SimpleNamespace(
        cycles=None,
        seconds=None,
        flops=0,
        energy_j=None,
        energy_by_component=None,
        cycles_by_phase=phases,
        memory=memory,
        ops=[],
        infeasible=infeasible,
        uncertainty=None,
    )


def _always_fails(_workload, _chip):
    raise ZeroDivisionError("defect")


@pytest.fixture
def workload(tmp_path, monkeypatch):
    """Return the name of a workload file; everything is simulated by :func:`_simulate`."""
    path = tmp_path / "small.yaml"
    path.write_text(_WORKLOAD)
    _use(monkeypatch, _simulate)
    return str(path)


def _use(monkeypatch, simulate):
    monkeypatch.setattr(comparison_run, "Sweep", lambda *parts: _SWEEP(*parts, simulate))
    monkeypatch.setattr(comparison_run, "default_workers", lambda: 1)


def test_the_report(workload, capsys):
    assert main(["compare", workload]) == 0
    out, err = capsys.readouterr()
    assert out.startswith("small on bow  dense against sparse\n")
    assert "Break-even density" in out
    assert max(map(len, out.splitlines())) <= 80
    assert err == ""


def test_json_is_one_document(workload, capsys):
    assert main(["compare", workload, "--json", "--mode", "static", "--density", "1/2,0.25", "--block-size", "8"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert document["schema"] == "ipusim-comparison-1"
    assert [(cell["density"], cell["cycles"]) for cell in document["cells"]] == [(0.5, 1000), (0.25, 500)]
    assert document["break_even"][0]["density"] == pytest.approx(0.5)


def test_all_files_are_written(workload, tmp_path, capsys):
    names = [tmp_path / name for name in ("cells.csv", "a.svg", "b.png", "report.txt")]
    options = ["--csv", names[0], "--plot", names[1], "--plot", names[2], "-o", names[3]]
    assert main(["compare", workload, *map(str, options)]) == 0
    assert capsys.readouterr() == ("", "")
    assert len(list(csv.DictReader(names[0].open()))) == 33
    assert b"<svg" in names[1].read_bytes()
    assert names[2].read_bytes().startswith(b"\x89PNG")
    assert "Break-even density" in names[3].read_text()
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "a.svg",
        "b.png",
        "cells.csv",
        "report.txt",
        "small.yaml",
    ]


def test_output_to_a_json_file(workload, tmp_path):
    assert main(["compare", workload, "-o", str(tmp_path / "result.json")]) == 0
    assert json.loads((tmp_path / "result.json").read_text())["workload"] == "small"


def test_every_option_reaches_the_sweep(workload, capsys):
    arguments = (
        "--batch 8,4 --dtype float32 --features 32,64 --weights w --mode dynamic --chip gc200 --workers 1 --json"
    )
    assert main(["compare", workload, *arguments.split(), "--set", "seed=7", "--set", "n_tiles=64"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert document["options"] == {
        "densities": [1 / 4, 1 / 8, 1 / 16, 1 / 32],
        "block_sizes": [1, 4, 8, 16],
        "modes": ["dynamic"],
        "batches": [4, 8],
        "dtypes": ["float32"],
        "features": [32, 64],
        "settings": ["seed=7", "n_tiles=64"],
    }
    assert (document["chip"], document["seed"]) == ("gc200", 7)


def test_wrong_options_are_all_reported(workload, capsys):
    arguments = ["--density", "2,1/8", "--block-size", "0", "--mode", "both", "--dtype", "half", "--workers", "0"]
    assert main(["compare", workload, *arguments]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert [line.partition(":")[0] for line in err.splitlines()] == [
        "--workers",
        "--density",
        "--block-size",
        "--mode",
        "--dtype",
    ]


def test_files_that_cannot_be_written_are_refused_before_the_work(workload, tmp_path, capsys, monkeypatch):
    def never(_workload, _chip):
        raise AssertionError

    _use(monkeypatch, never)
    missing = tmp_path / "no"
    arguments = ["--csv", f"{missing}/a.csv", "--plot", "a.pdf", "--plot", f"{missing}/a.svg", "-o", f"{missing}/x"]
    assert main(["compare", workload, *arguments]) == 2
    assert capsys.readouterr().err.splitlines() == [
        "--plot: 'a.pdf' ends neither in .svg nor in .png",
        f"--csv: there is no folder {str(missing)!r}",
        f"--plot: there is no folder {str(missing)!r}",
        f"--output: there is no folder {str(missing)!r}",
    ]


@pytest.mark.parametrize(("simulate", "text"), [(_nothing_fits, "does not fit"), (_always_fails, "ZeroDivisionError")])
def test_the_simulation_says_no(workload, monkeypatch, capsys, simulate, text):
    _use(monkeypatch, simulate)
    assert main(["compare", workload]) == 1
    assert text in capsys.readouterr().out


def test_an_interrupt_keeps_what_is_finished(workload, monkeypatch, capsys):
    count = 0

    def simulate(workload, chip):
        nonlocal count
        count += 1
        if count > 10:
            raise KeyboardInterrupt
        return _simulate(workload, chip)

    _use(monkeypatch, simulate)
    assert main(["compare", workload, "--workers", "1"]) == 130
    out, err = capsys.readouterr()
    assert "INTERRUPTED: 23 of 33 points were not run" in out
    assert err == "ipusim: interrupted; what was finished is shown\n"


def test_an_interrupt_before_anything_is_finished(workload, monkeypatch, capsys):
    def simulate(_workload, _chip):
        raise KeyboardInterrupt

    _use(monkeypatch, simulate)
    assert main(["compare", workload, "--workers", "1"]) == 130
    assert capsys.readouterr() == ("", "ipusim: interrupted\n")


_SLOW_SWEEP = """\
import os, sys, time
from types import SimpleNamespace
import ipusim.comparison.run as run

def simulate(workload, chip):
    if workload.tensors["w"].sparsity and workload.tensors["w"].sparsity.block_size > 1:
        os.write(2, b"ready\\n")
        time.sleep(60)
    memory = {"max_tile_bytes": 5, "tile_sram_bytes": 10}
    return SimpleNamespace(cycles=100, seconds=1e-6, flops=1, energy_j=None, energy_by_component=None,
                           cycles_by_phase={"compute": 100}, memory=memory, ops=[], infeasible=None)

Sweep = run.Sweep
run.Sweep = lambda *parts: Sweep(*parts, simulate)
from ipusim.cli import main
sys.exit(main(["compare", sys.argv[1], "--workers", "2"]))
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="the sweep of this test is copied into its processes")
def test_ctrl_c_ends_all_processes_and_shows_what_is_finished(workload):
    process = subprocess.Popen(
        [sys.executable, "-c", _SLOW_SWEEP, workload],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    assert process.stderr.readline() == "ready\n"
    assert process.stderr.readline() == "ready\n"
    os.killpg(process.pid, signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 130
    assert err == "ipusim: interrupted; what was finished is shown\n"
    assert "INTERRUPTED: " in out
    assert "Traceback" not in out
    with pytest.raises(ProcessLookupError):
        os.killpg(process.pid, 0)
