"""Trainings that are killed, ended or do not fit: what is kept, and what is said."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from small_training import classes_workload, write_classes

from ipusim.cli.main import main
from ipusim.training.train import train

PATIENCE_S = 300.0


@pytest.fixture(scope="module")
def workload(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a workload file that trains long enough to be stopped on the way."""
    folder = tmp_path_factory.mktemp("faults")
    document = classes_workload(write_classes(folder), steps=600, log_every=10)
    document["training"]["sparsity"] |= {"every": 200}
    path = folder / "classes.yaml"
    path.write_text(json.dumps(document))
    return path


def stopped(command: list[str], log: Path, lines: int, number: int) -> subprocess.CompletedProcess[str]:
    """Run a training until its log has some lines, and send it a signal."""
    process = subprocess.Popen(
        [sys.executable, "-P", "-m", "ipusim", *command], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    end = time.monotonic() + PATIENCE_S
    while time.monotonic() < end and process.poll() is None and _lines(log) < lines:
        time.sleep(0.01)
    os.kill(process.pid, number)
    out, err = process.communicate(timeout=PATIENCE_S)
    return subprocess.CompletedProcess(command, process.returncode, out, err)


def _lines(log: Path) -> int:
    return log.read_text().count("\n") if log.exists() else 0


@pytest.mark.slow
def test_what_is_killed_or_ended_goes_on_and_ends_with_the_same_bytes(workload: Path, tmp_path: Path) -> None:
    alone = {"log": tmp_path / "alone.jsonl", "checkpoint": tmp_path / "alone.npz"}
    train(workload, **alone)  # first, so that the others find their kernels compiled
    files = {"log": tmp_path / "log.jsonl", "checkpoint": tmp_path / "state.npz"}
    command = ["train", str(workload), "--log", str(files["log"]), "--checkpoint", str(files["checkpoint"]), "--resume"]
    killed = stopped(command, files["log"], 2, signal.SIGKILL)
    assert killed.returncode == -signal.SIGKILL
    before = files["log"].read_text()
    steps = [json.loads(line)["step"] for line in before.splitlines()]
    assert 2 <= len(steps) < 60
    assert steps == list(range(10, 10 * len(steps) + 1, 10))
    ended = stopped(command, files["log"], len(steps) + 2, signal.SIGTERM)
    said = f"ipusim: interrupted; the same command with --resume goes on from {files['checkpoint']}"
    assert (ended.returncode, ended.stdout, ended.stderr.splitlines()[-1]) == (130, "", said)
    assert files["log"].read_text().startswith(before)
    assert main([*command, "--json"]) == 0
    for part, path in files.items():
        assert path.read_bytes() == alone[part].read_bytes()


def test_before_the_first_checkpoint_nothing_is_promised(
    workload: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("ipusim.training.loop.Training._step", interrupt)
    path = tmp_path / "state.npz"
    assert main(["train", str(workload), "--checkpoint", str(path)]) == 130
    said = f"before the first checkpoint, so that there is nothing in {path} yet"
    assert capsys.readouterr().err.endswith(f"ipusim: interrupted; {said}\n")
    assert main(["train", str(workload)]) == 130
    assert capsys.readouterr().err.endswith("to be able to go on from there, train with --checkpoint\n")


def test_what_does_not_fit_is_told_with_what_helps(workload: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["train", str(workload), "--no-execute", "--set", "tile_sram_bytes=1024"]) == 1
    said = capsys.readouterr().err
    assert said.startswith(f"{workload}:1:")
    assert "a training step of rigl does not fit tiny" in said
    assert "what helps: tile_sram_bytes=2048 (2 times the SRAM of a tile)" in said
