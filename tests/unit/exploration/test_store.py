"""The results file: claims, crashes of others, full disks, foreign files."""

import resource
import signal
import sqlite3
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from ipusim.errors import BadInputError
from ipusim.exploration.store import Point, Store

ROW = {"status": "ok", "reason": "", "figures": {"cycles": 3}}


def test_what_is_put_is_there_and_stays(tmp_path):
    store = Store(tmp_path / "store.sqlite")
    store.put([("a", ROW, 0.1), ("b", {**ROW, "status": "infeasible"}, 0.2)])
    store.put([("a", {**ROW, "figures": {"cycles": 9}}, 0.1)])
    assert store.rows(["a", "b", "c"]) == {"a": ROW, "b": {**ROW, "status": "infeasible"}}
    points = [Point(place, {"n": place, "shape": [1, 2]}, ("a", "b"), "ok", "") for place in range(5)]
    store.put_points("space", points)
    assert list(store.points("space", 1, 3)) == points[1:4]
    assert store.n_points("space", 3) == 2
    assert store.seconds() == (2, pytest.approx(0.3))
    store.close()


def test_claims_of_the_living_are_respected_and_those_of_the_dead_are_not(tmp_path):
    one, other = (Store(tmp_path / "store.sqlite") for _ in range(2))
    assert one.claim(["a", "b"]) == ({"a", "b"}, set())
    assert other.claim(["b", "c"]) == ({"c"}, {"b"})
    one.put([("a", ROW, 0.0)])
    assert other.claim(["a", "b"]) == (set(), {"b"})
    one.close()
    assert other.claim(["a", "b"]) == ({"b"}, set())
    other.close()
    child = subprocess.run(
        [sys.executable, "-c", "import sys; from pathlib import Path; from ipusim.exploration.store import Store\n"
         "Store(Path(sys.argv[1])).claim(['x']); import os; os._exit(1)", str(tmp_path / "store.sqlite")], check=False
    )  # fmt: skip
    assert child.returncode == 1
    third = Store(tmp_path / "store.sqlite")
    assert third.claim(["x"]) == ({"x"}, set())
    third.close()


def test_silence_is_taken_for_death(tmp_path):
    one, other = (Store(tmp_path / "store.sqlite") for _ in range(2))
    one.claim(["a"])
    with sqlite3.connect(tmp_path / "store.sqlite") as connection:
        connection.execute("UPDATE owners SET heard = heard - 1000 WHERE owner = ?", (one.owner,))
    assert other.claim(["a"]) == ({"a"}, set())


@pytest.mark.parametrize("content", [b"no database, but long enough for a header of one " * 40, None])
def test_other_files_are_refused_and_kept(tmp_path, content):
    path = tmp_path / "other.sqlite"
    if content is None:
        connection = sqlite3.connect(path)
        connection.execute("CREATE TABLE mine (x)")
        connection.commit()
        connection.close()
    else:
        path.write_bytes(content)
    before = path.read_bytes()
    with pytest.raises(BadInputError, match=r"no SQLite file|not one of ipusim's"):
        Store(path)
    assert path.read_bytes() == before


def test_a_full_disk_loses_nothing_that_was_kept(tmp_path):
    path = tmp_path / "store.sqlite"
    code = (
        "import sys; from pathlib import Path; from ipusim.errors import IpusimError\n"
        "from ipusim.exploration.store import Store\n"
        "store = Store(Path(sys.argv[1])); kept = 0\n"
        "try:\n"
        "    while True:\n"
        "        store.put([(f'{kept:06d}', {'status': 'ok', 'reason': 'x' * 500, 'figures': {}}, 0.0)]); kept += 1\n"
        "except IpusimError as error:\n"
        "    print(kept, error)\n"
    )

    def small_disk():
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (1_000_000, 1_000_000))

    done = subprocess.run(
        [sys.executable, "-c", code, str(path)], preexec_fn=small_disk, capture_output=True, text=True, check=True
    )
    kept, _, message = done.stdout.partition(" ")
    assert int(kept) > 20
    assert "the disk is full" in message
    store = Store(path)
    assert len(store.rows([f"{number:06d}" for number in range(int(kept))])) == int(kept)
    store.put([("more", ROW, 0.0)])
    store.close()


def test_a_damaged_file_is_told_however_it_is_read(tmp_path):
    path = tmp_path / "store.sqlite"
    store = Store(path)
    store.put([(f"{number:032}", ROW, 0.1) for number in range(500)])
    store.close()
    content = path.read_bytes()
    path.write_bytes(content[:4096] + b"\x55" * (len(content) - 4096))
    broken = Store(path, writes=False)
    for read in (lambda: broken.rows(["a"]), lambda: broken.n_points("x"), lambda: list(broken.points("x"))):
        with pytest.raises(BadInputError, match="the file is damaged"):
            read()
    broken.close()
    path.write_bytes(content[:5000])
    with pytest.raises(BadInputError, match="the file is damaged"):
        Store(path)


def test_reading_writes_nothing(tmp_path):
    path = tmp_path / "store.sqlite"
    store = Store(path)
    store.put([("a", ROW, 0.1)])
    store.close()
    before = path.read_bytes()
    reader = Store(path, writes=False)
    assert reader.rows(["a"]) == {"a": ROW}
    reader.close()
    assert path.read_bytes() == before
    assert [each.name for each in tmp_path.iterdir()] == ["store.sqlite"]
    (tmp_path / "empty.sqlite").touch()
    with pytest.raises(BadInputError, match="no results yet"):
        Store(tmp_path / "empty.sqlite", writes=False)
    assert not (tmp_path / "empty.sqlite").stat().st_size


READ_ONLY = """
import os, sys
from pathlib import Path
from ipusim.errors import IpusimError
from ipusim.exploration.store import Store
path = Path(sys.argv[1])
path.chmod(0o444)
path.parent.chmod(0o555)
if os.getuid() == 0:
    os.setuid(65534)
print(Store(path, writes=False).rows(["a"]))
try:
    Store(path)
except IpusimError as error:
    print(error)
"""


def test_a_file_that_nobody_may_write_can_be_read():
    with tempfile.TemporaryDirectory(dir="/tmp") as name:
        folder = Path(name) / "shared"
        folder.mkdir()
        folder.parent.chmod(0o755)
        store = Store(folder / "store.sqlite")
        store.put([("a", ROW, 0.1)])
        store.close()
        child = subprocess.run(
            [sys.executable, "-c", READ_ONLY, str(folder / "store.sqlite")], capture_output=True, text=True, check=False
        )
        folder.chmod(0o755)
    assert child.stdout.splitlines()[0] == str({"a": ROW}), child.stderr
    assert "cannot be written" in child.stdout
