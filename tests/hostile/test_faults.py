"""Full disks, places that cannot be written, commands and processes that are ended: no file is lost or half written."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from ipusim.errors import BadInputError
from ipusim.files.atomic import write_atomic
from ipusim.plan import cache

COMMAND = [sys.executable, "-m", "ipusim"]
SMALL = """\
name: t
chip: tiny
tensors: {w: {shape: [8, 8]}, x: {shape: [8, 4]}}
ops: [{op: matmul, inputs: [w, x], output: y}]
"""
WITH_A_LIMIT = """
import resource, sys
from ipusim.cli import main
resource.setrlimit(resource.RLIMIT_FSIZE, (2000, 2000))
sys.exit(main(sys.argv[1:]))
"""
WAITING = """
import sys, time
import ipusim.pipeline.simulation as simulation
from ipusim.cli import main
def wait(*_):
    print("ready", file=sys.stderr, flush=True)
    time.sleep(60)
simulation.compile_workload = wait
sys.exit(main(sys.argv[1:]))
"""


@pytest.fixture
def workload(tmp_path: Path) -> Path:
    (tmp_path / "t.yaml").write_text(SMALL)
    return tmp_path / "t.yaml"


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_a_disk_that_is_full_while_a_result_is_written(tmp_path: Path) -> None:
    target = tmp_path / "out.json"
    target.write_text("old")
    command = [sys.executable, "-c", WITH_A_LIMIT, "schema", "workload", "-o", str(target)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 2
    assert done.stderr.startswith(f"{target}: cannot be written: the file would be larger than the system allows")
    assert target.read_text() == "old"
    assert names(tmp_path) == ["out.json"]


@pytest.mark.parametrize("arguments", [["--help"], ["schema", "workload"]])
def test_an_output_that_takes_nothing(arguments: list[str]) -> None:
    with Path("/dev/full").open("w") as full:
        done = subprocess.run([*COMMAND, *arguments], stdout=full, stderr=subprocess.PIPE, text=True)
    assert done.returncode == 2
    advice = "the disk is full: free some space or choose another place"
    assert done.stderr == f"ipusim: standard output cannot be written: {advice}\n"


def test_a_place_that_nobody_may_write_to() -> None:
    with pytest.raises(BadInputError, match="cannot be written: "):
        write_atomic("/proc/ipusim.json", "x")
    done = subprocess.run([*COMMAND, "schema", "chip", "-o", "/proc/x.json"], capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("/proc/x.json: cannot be written: ")


def test_a_run_that_is_asked_to_end(workload: Path) -> None:
    command = [sys.executable, "-c", WAITING, "run", str(workload), "--no-execute", "-o", str(workload.with_name("o"))]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    assert process.stderr is not None
    while "ready" not in process.stderr.readline():
        assert process.poll() is None
    process.send_signal(signal.SIGTERM)
    assert process.wait(30) == 130
    assert process.stderr.read().endswith("ipusim: interrupted\n")
    assert names(workload.parent) == ["t.yaml"]


def ended_by(number: int) -> None:
    """Fork; the child is ended by a signal before it puts a new file in the place of the old one."""
    child = os.fork()
    if child == 0:
        Path.replace = lambda *_: os.kill(os.getpid(), number)  # type: ignore[method-assign, assignment, return-value]
        write_atomic("file", "new")
        os._exit(0)
    _, status = os.waitpid(child, 0)
    assert os.WTERMSIG(status) == number


def test_a_process_that_is_killed_while_it_writes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("file").write_text("old")
    ended_by(signal.SIGKILL)
    assert Path("file").read_text() == "old"
    write_atomic("file", "newer")
    assert Path("file").read_text() == "newer"


ROWS = ((1, 2, 3), (4, 5, 6))


@pytest.fixture
def plans(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("IPUSIM_CACHE_DIR", str(tmp_path))
    return tmp_path


def test_a_damaged_plan_is_as_good_as_none(plans: Path) -> None:
    cache.write_entry("key", ROWS, 7)
    (path,) = plans.glob("plans/*/*.json")
    content = path.read_bytes()
    assert cache.read_entry("key") == (ROWS, 7)
    for place in range(len(content)):
        for damaged in (content[:place], content[:place] + bytes([content[place] ^ 1]) + content[place + 1 :]):
            path.write_bytes(damaged)
            assert cache.read_entry("key") in (None, (ROWS, 7))
    path.write_bytes(content.replace(b"7", b"8", 1))
    assert cache.read_entry("key") is None
    cache.write_entry("key", ROWS, 7)
    assert cache.read_entry("key") == (ROWS, 7)


def test_plans_that_cannot_be_kept_are_left_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("x")
    for place in (tmp_path / "file", Path("/proc/none"), Path("/dev/null")):
        monkeypatch.setenv("IPUSIM_CACHE_DIR", str(place))
        cache.write_entry("key", ROWS, 7)
        assert cache.read_entry("key") is None


def test_plans_beyond_the_bound_go(plans: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cache, "MOST_ENTRIES", 40)
    for number in range(300):
        cache.write_entry(number, ROWS, number)
    count = len(list(plans.glob("plans/*/*.json")))
    assert 36 <= count < 40 + 64
    assert cache.read_entry(299) == (ROWS, 299)


def test_two_processes_on_one_cache(plans: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cache, "MOST_ENTRIES", 20)
    children = []
    for _ in range(2):
        child = os.fork()
        if child == 0:
            found = [cache.read_entry(n % 30) or cache.write_entry(n % 30, ROWS, n % 30) for n in range(400)]
            os._exit(int(any(each not in (None, (ROWS, n % 30)) for n, each in enumerate(found))))
        children.append(child)
    assert [os.waitpid(child, 0)[1] for child in children] == [0, 0]
    assert not list(plans.glob("plans/*/.ipusim-*"))
