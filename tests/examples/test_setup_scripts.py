"""The scripts that set a fresh checkout up: what they install, and when they decide that nothing is to be done."""

import os
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

_ROOT = Path(__file__).parents[2]
_SCRIPTS = _ROOT / "scripts"


@pytest.fixture
def checkout(tmp_path):
    """Return a checkout that is set up, with a Python that only says how it is called."""
    root = tmp_path / "a checkout"
    (root / ".venv" / "bin").mkdir(parents=True)
    shutil.copytree(_SCRIPTS, root / "scripts")
    python = root / ".venv" / "bin" / "python"
    python.write_text('#!/bin/sh\nprintf "<%s>" "$@"\n')
    python.chmod(0o755)
    bootstrap = str(root / "scripts" / "bootstrap.py")
    code = f"import runpy; print(end=runpy.run_path({bootstrap!r})['expected_stamp']().decode())"
    done = subprocess.run([sys.executable, "-c", code, str(root)], capture_output=True, text=True, check=True)
    (root / ".venv" / "ipusim.stamp").write_text(done.stdout)
    return root


def _run(script, *arguments, **options):
    """Run a script in an environment that has no Python to set anything up with."""
    environment = {"PATH": "", "HOME": os.devnull}
    command = ["/bin/bash", str(script), *arguments]
    return subprocess.run(command, capture_output=True, text=True, env=environment, **options)


def _locked():
    lines = (_SCRIPTS / "requirements.txt").read_text().splitlines()
    pairs = (line.split("==") for line in lines if line and not line.startswith("#"))
    return {canonicalize_name(name): version for name, version in pairs}


def test_every_dependency_is_locked_at_a_version_that_satisfies_it():
    project = tomllib.loads((_ROOT / "pyproject.toml").read_text())["project"]
    locked = _locked()
    for text in (*project["dependencies"], *project["optional-dependencies"]["dev"]):
        requirement = Requirement(text)
        assert locked[canonicalize_name(requirement.name)] in requirement.specifier, text


@pytest.mark.parametrize("name", ["scripts/ipusim", "scripts/test", ".ci/run"])
def test_script_is_executable_bash(name):
    assert os.access(_ROOT / name, os.X_OK)
    assert subprocess.run(["/bin/bash", "-n", _ROOT / name]).returncode == 0


def test_a_finished_checkout_starts_at_once(checkout):
    done = _run(checkout / "scripts" / "ipusim", "run", "a b.yaml", "--json")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == "<-P><-m><ipusim><run><a b.yaml><--json>"


def test_tests_get_their_arguments(checkout):
    done = _run(checkout / "scripts" / "test", "-k", "one or two")
    assert done.stdout == "<-m><pytest><-n><2><-k><one or two>"


def test_a_call_from_inside_the_folder_finds_the_checkout(checkout):
    assert _run("ipusim", "chips", cwd=checkout / "scripts").stdout == "<-P><-m><ipusim><chips>"


@pytest.mark.parametrize("changed", ["requirements.txt", "bootstrap.py"])
def test_a_changed_set_up_is_done_again(checkout, changed):
    with (checkout / "scripts" / changed).open("a") as file:
        file.write("# another line\n")
    done = _run(checkout / "scripts" / "ipusim")
    assert done.returncode == 1
    assert done.stdout == ""
    assert "needs Python 3.11 or newer" in done.stderr


@pytest.mark.parametrize("missing", [".venv/ipusim.stamp", ".venv/bin/python"])
def test_an_interrupted_set_up_is_done_again(checkout, missing):
    (checkout / missing).unlink()
    assert "needs Python 3.11 or newer" in _run(checkout / "scripts" / "ipusim").stderr


def test_a_checkout_that_moved_is_set_up_again(checkout, tmp_path):
    checkout.rename(tmp_path / "moved")
    assert "needs Python 3.11 or newer" in _run(tmp_path / "moved" / "scripts" / "ipusim").stderr
