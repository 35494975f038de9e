"""The same input gives the same bytes: other hash seeds, other numbers of threads and processes, another order."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

TESTS = Path(__file__).parents[1]

RUN = """\
name: chain
chip: tiny
seed: 3
tensors:
  w: {shape: [16, 16], sparsity: {density: 1/2, block_size: 4}}
  x: {shape: [16, 8]}
  bias: {shape: [16, 1]}
ops:
  - {op: matmul, inputs: [w, x], output: a}
  - {op: add, inputs: [a, bias], output: b}
  - {op: relu, inputs: [b], output: y}
"""
SPACE = """\
name: space
chip: tiny
workloads:
  - name: product
    tensors: {w: {shape: [32, 32]}, x: {shape: [32, 16]}}
    ops: [{op: matmul, inputs: [w, x], output: y}]
parameters: {n_tiles: [2, 4], sync_cycles: {from: 10, to: 40}, exchange_bytes_per_cycle: [2, 4]}
objectives: [seconds, energy_j]
sampler: nsga2
budget: 12
seed: 5
"""

# Every command writes files only; the last word of each is the number of threads or processes.
COMMANDS = {
    "run": "run run.yaml -o run.json --profile --html run.html --trace run.trace.json --threads",
    "compare": "compare run.yaml --density 1/2,1/4 --block-size 1,4 --execute --csv compare.csv --html compare.html "
    "-o compare.json --workers",
    "explore": "explore space.yaml --csv explore.csv --html explore.html -o explore.json --workers",
    "train": "train train.json --method rigl --log train.jsonl --checkpoint train.npz --html train.html "
    "-o train.out.json --threads",
}
CODE = """
import json, sys
from ipusim.cli import main
if __name__ == "__main__":
    for command in json.loads(sys.argv[1]):
        code = main(command)
        assert code == 0, (command, code)
"""
CONDITIONS = (
    {"PYTHONHASHSEED": "0", "NUMBA_NUM_THREADS": "1", "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"},
    {"PYTHONHASHSEED": "4321", "NUMBA_NUM_THREADS": "2", "OMP_NUM_THREADS": "2", "OPENBLAS_NUM_THREADS": "2"},
)


def made(folder: Path, number: int) -> dict[str, bytes]:
    """Run all commands in a folder under one of the conditions, and return what they wrote."""
    from small_training import classes_workload, write_classes

    folder.mkdir()
    (folder / "run.yaml").write_text(RUN)
    (folder / "space.yaml").write_text(SPACE)
    write_classes(folder)
    (folder / "train.json").write_text(json.dumps(classes_workload(Path("classes.npz"))))
    given = {each.name for each in folder.iterdir()}
    commands = [[*text.split(), str(number + 1)] for text in COMMANDS.values()]
    script = folder.parent / "commands.py"
    script.write_text(CODE)
    done = subprocess.run(
        [sys.executable, str(script), json.dumps(commands[:: 1 - 2 * number])],
        capture_output=True,
        text=True,
        cwd=folder,
        env={**os.environ, **CONDITIONS[number], "PYTHONPATH": str(TESTS.parent)},
    )
    assert done.returncode == 0, done.stderr
    # the store has times, and is compared by what is in it elsewhere
    wanted = [each for each in folder.iterdir() if each.name not in given and ".sqlite" not in each.name]
    return {each.name: each.read_bytes() for each in wanted}


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, bytes], dict[str, bytes]]:
    folder = tmp_path_factory.mktemp("determinism")
    return made(folder / "a", 0), made(folder / "b", 1)


@pytest.mark.slow
@pytest.mark.parametrize("command", COMMANDS)
def test_the_same_input_gives_the_same_bytes(both: tuple[dict[str, bytes], dict[str, bytes]], command: str) -> None:
    first, second = both
    names = sorted(name for name in first if name.startswith(command))
    assert {name.rsplit(".", 1)[1] for name in names} >= {"json", "html"}
    assert names == sorted(name for name in second if name.startswith(command))
    for name in names:
        assert np.frombuffer(first[name], np.uint8).size > 100, name
        assert first[name] == second[name], name
