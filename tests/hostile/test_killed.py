"""An exploration that is asked to end, and a training that is killed, lose nothing that was finished."""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from small_training import classes_workload, write_classes

import ipusim
from ipusim.errors import BadInputError
from ipusim.training.loop import Training
from ipusim.training.train import train

TESTS = Path(__file__).parents[1]

# Sends itself a signal when a simulation, or a step of a training, begins for the nth time.
SCRIPT = """
import os, sys
from ipusim.cli import main
from {module} import {name} as Patched
ordinary, count = Patched.{method}, 0
def counted(self, *args):
    global count
    count += 1
    if count == {nth}:
        os.kill(os.getpid(), {number})
    return ordinary(self, *args)
Patched.{method} = counted
sys.exit(main(sys.argv[1:]))
"""
EXPLORE = {"module": "ipusim.exploration.executors.task", "name": "Performer", "method": "__call__"}
TRAIN = {"module": "ipusim.training.loop", "name": "Training", "method": "_step"}

SPACE = """\
name: space
chip: tiny
workloads:
  - name: product
    tensors: {w: {shape: [32, 32]}, x: {shape: [32, 16]}}
    ops: [{op: matmul, inputs: [w, x], output: y}]
parameters: {n_tiles: [2, 4], sync_cycles: [10, 20], exchange_bytes_per_cycle: [2, 4]}
"""


def run(folder: Path, arguments: list[str], **patch: Any) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", SCRIPT.format(**patch), *arguments]
    environment = {**os.environ, "PYTHONPATH": str(TESTS.parent)}
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, env=environment)


def results(path: Path) -> list[Any]:
    connection = sqlite3.connect(path)
    try:
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        return connection.execute("SELECT * FROM results ORDER BY 1").fetchall()
    finally:
        connection.close()


@pytest.mark.slow
def test_an_exploration_that_is_asked_to_end(tmp_path: Path) -> None:
    (tmp_path / "space.yaml").write_text(SPACE)
    command = ["explore", "space.yaml", "--workers", "1", "--store", "store"]
    asked = run(tmp_path, command, **EXPLORE, nth=3, number=int(signal.SIGTERM))
    assert asked.returncode == 130, asked.stderr
    assert asked.stderr.endswith("ipusim: interrupted; the same command goes on from here\n")
    first = results(tmp_path / "store")
    assert len(first) == 2
    assert ipusim.explore(str(tmp_path / "space.yaml"), store=tmp_path / "store", workers=1).interrupted is False
    whole = results(tmp_path / "store")
    assert len(whole) == 8
    assert set(first) < set(whole)


@pytest.mark.slow
def test_a_training_that_is_killed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    workload = classes_workload(write_classes(tmp_path))
    (tmp_path / "train.json").write_text(json.dumps(workload))
    killed = run(
        tmp_path, ["train", "train.json", "--checkpoint", "ended.npz"], **TRAIN, nth=7, number=int(signal.SIGKILL)
    )
    assert killed.returncode == -signal.SIGKILL
    whole = train(workload, checkpoint=tmp_path / "whole.npz")
    counted = monkeypatch_steps(monkeypatch)
    assert train("train.json", checkpoint=tmp_path / "ended.npz", resume=True)["log"] == whole["log"]
    assert len(counted) == 8  # of 12 steps; it was killed in the 7th, and had kept the 4th
    assert (tmp_path / "ended.npz").read_bytes() == (tmp_path / "whole.npz").read_bytes()
    with np.load(tmp_path / "ended.npz") as held:
        arrays = dict(held)
    np.savez(tmp_path / "ended.npz", **{**arrays, "weights:w1": np.zeros((2, 2), np.float32)})
    with pytest.raises(BadInputError, match="is damaged: its arrays are not those of this training"):
        train(workload, checkpoint=tmp_path / "ended.npz", resume=True)


def monkeypatch_steps(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Count the steps of trainings."""
    ordinary, steps = Training._step, []

    def step(training: Training) -> None:
        steps.append(training.state.step)
        ordinary(training)

    monkeypatch.setattr(Training, "_step", step)
    return steps
