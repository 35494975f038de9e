"""What the README shows is true: its commands run, its files are valid, its output is what is printed."""

import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from ipusim.chip.load import load_chip
from ipusim.frontends.workload import load_workload

_ROOT = Path(__file__).parents[2]
_README = _ROOT / "README.md"
_BLOCKS = re.findall(r"^```(\w+)\n(.*?)^```$", _README.read_text(), re.MULTILINE | re.DOTALL)
_LINES = [line for language, text in _BLOCKS if language == "sh" for line in text.splitlines()]
_COMMANDS = [line for line in _LINES if line.startswith("./scripts/ipusim")]


def _run(command):
    arguments = shlex.split(command.removeprefix("./scripts/ipusim"))
    command = [sys.executable, "-P", "-m", "ipusim", *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=600, cwd=_ROOT)


def _block(language, *, starting=""):
    return next(text for kind, text in _BLOCKS if kind == language and text.startswith(starting))


def test_there_are_commands():
    assert len(_COMMANDS) >= 5


@pytest.mark.parametrize("command", _COMMANDS)
def test_command_runs(command):
    done = _run(command)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout


def test_the_output_shown_is_what_the_first_command_prints(update_golden):
    printed = _run(_COMMANDS[0]).stdout
    if update_golden:
        _README.write_text(_README.read_text().replace(_block("text"), printed))
        return
    assert printed == _block("text"), "run ./scripts/test tests/examples/test_readme.py --update-golden"


def test_the_errors_of_the_model_are_those_that_the_reports_name():
    from ipusim.report.validation_words import DOCUMENTED_ERRORS

    rows = re.findall(r"^  \| (.*) \| (.*) \| (.*) \|$", _README.read_text(), re.MULTILINE)
    assert tuple(rows[rows.index(("what", "points", "error")) + 1 :]) == DOCUMENTED_ERRORS


def test_the_table_names_every_command():
    from ipusim.cli.main import COMMANDS

    for name in COMMANDS:
        assert f"`ipusim {name}" in _README.read_text()


def test_the_workload_shown_is_valid():
    assert load_workload(yaml.safe_load(_block("yaml", starting="name:"))).name == "dense-layer"


def test_the_network_shown_is_valid():
    tensors = load_workload(yaml.safe_load(_block("yaml", starting="name: bert"))).tensors
    assert tensors["layers.0.ffn.up.weight"].sparsity.block_size == 16
    assert tensors["layers.11.attention.query.weight"].dtype == "float32"


def test_the_chip_shown_is_valid():
    assert load_chip(yaml.safe_load(_block("yaml", starting="extends:"))).n_tiles == 2944


def test_the_python_shown_runs():
    done = subprocess.run([sys.executable, "-c", _block("python")], capture_output=True, text=True, cwd=_ROOT)
    assert (done.returncode, done.stderr) == (0, "")
    assert len(done.stdout.splitlines()) == 2


def test_the_space_shown_is_valid():
    from ipusim.exploration.load import load_space

    space = load_space(yaml.safe_load(_block("yaml", starting="name: tiles")))
    assert space.grid_size == 40
