"""What the pages show is true: code and commands run, files are valid, outputs are what is printed."""

import os
import subprocess
import sys

import pytest
from snippets import PAGES, ROOT, blocks_of, overlay, problems

_NAMES = [str(page.relative_to(ROOT)) for page in PAGES]
_EXTENDING = "docs/extending.md"
_SLOW = [name for name in _NAMES if any("slow" in block.words for block in blocks_of((ROOT / name).read_text()))]


@pytest.mark.parametrize("name", [name for name in _NAMES if name != _EXTENDING])
def test_blocks(name, tmp_path, update_golden):
    assert not problems(ROOT / name, tmp_path, update=update_golden)


@pytest.mark.slow
@pytest.mark.parametrize("name", _SLOW)
def test_slow_blocks(name, tmp_path, update_golden):
    assert not problems(ROOT / name, tmp_path, slow=True, update=update_golden)


def test_what_is_added_to_the_package_works(tmp_path, update_golden):
    """The page on extensions writes new files into the package: a copy of it, in a process of its own."""
    overlay(tmp_path)
    command = [sys.executable, "-P", ROOT / "tests" / "snippets.py", ROOT / _EXTENDING, tmp_path]
    environment = {**os.environ, "PYTHONPATH": str(tmp_path)}
    command += ["--update-golden"] if update_golden else []
    done = subprocess.run(command, env=environment, capture_output=True, text=True, cwd=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_block_that_is_not_run_says_why():
    blocks = [block for name in _NAMES for block in blocks_of((ROOT / name).read_text())]
    assert len(blocks) > 40
    assert all(block.words["not run"] for block in blocks if not block.runs)
