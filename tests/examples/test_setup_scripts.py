"""The scripts that set a fresh checkout up: what they install, and when they decide that nothing is to be done."""

import os
import shutil
import subprocess
import sys
import tomllib
from importlib.metadata import distribution
from itertools import chain
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

_ROOT = Path(__file__).parents[2]
_SCRIPTS = _ROOT / "scripts"


@pytest.fixture
def checkout(tmp_path):
    """Return a checkout that is set up for developers, with a Python that only says how it is called."""
    root = tmp_path / "a checkout"
    (root / ".venv" / "bin").mkdir(parents=True)
    shutil.copytree(_SCRIPTS, root / "scripts")
    python = root / ".venv" / "bin" / "python"
    python.write_text('#!/bin/sh\nprintf "<%s>" "$@"\n')
    python.chmod(0o755)
    _stamp(root, developer=True)
    return root


def _stamp(root, developer):
    bootstrap = str(root / "scripts" / "bootstrap.py")
    code = f"import runpy; print(end=runpy.run_path({bootstrap!r})['expected_stamp']({developer}).decode())"
    done = subprocess.run([sys.executable, "-c", code, str(root)], capture_output=True, text=True, check=True)
    (root / ".venv" / "ipusim.stamp").write_text(done.stdout)


def _run(script, *arguments, **options):
    """Run a script in an environment that has no Python to set anything up with."""
    environment = {"PATH": "", "HOME": os.devnull}
    command = ["/bin/bash", str(script), *arguments]
    return subprocess.run(command, capture_output=True, text=True, env=environment, **options)


def _locked(name):
    lines = (_SCRIPTS / name).read_text().splitlines()
    pairs = (line.split("==") for line in lines if line and not line.startswith("#"))
    return {canonicalize_name(name): version for name, version in pairs}


def _needs(texts):
    """Return the names of all packages that these requirements install here."""
    found, left = set(), [(Requirement(text), "") for text in texts]
    while left:
        requirement, extra = left.pop()
        if requirement.marker and not requirement.marker.evaluate({"extra": extra}):
            continue
        for wanted in ("", *requirement.extras):
            name = canonicalize_name(requirement.name)
            if (name, wanted) not in found:
                found.add((name, wanted))
                left += [(Requirement(text), wanted) for text in distribution(name).requires or ()]
    return {name for name, _ in found}


def test_users_get_what_ipusim_runs_with_and_developers_the_rest():
    project = tomllib.loads((_ROOT / "pyproject.toml").read_text())["project"]
    extras = project["optional-dependencies"]
    users, developers = _locked("requirements.txt"), _locked("requirements-dev.txt")
    runs_with = [*project["dependencies"], *extras["explore"], *extras["onnx"], *extras["train"]]
    assert not users.keys() & developers.keys()
    assert _needs(runs_with) <= users.keys()
    assert _needs([*extras["dev"], *extras["parquet"]]) <= users.keys() | developers.keys()
    assert not _needs(runs_with) & developers.keys()
    for text in chain(project["dependencies"], *extras.values()):
        requirement = Requirement(text)
        assert (users | developers)[canonicalize_name(requirement.name)] in requirement.specifier, text


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


def test_users_have_no_need_of_what_developers_have(checkout):
    _stamp(checkout, developer=False)
    assert _run(checkout / "scripts" / "ipusim", "chips").stdout == "<-P><-m><ipusim><chips>"
    assert "needs Python 3.11 or newer" in _run(checkout / "scripts" / "test").stderr


def test_other_packages_for_developers_are_nothing_to_users(checkout):
    with (checkout / "scripts" / "requirements-dev.txt").open("a") as file:
        file.write("# another line\n")
    assert _run(checkout / "scripts" / "ipusim", "chips").stdout == "<-P><-m><ipusim><chips>"
    assert "needs Python 3.11 or newer" in _run(checkout / "scripts" / "test").stderr


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
