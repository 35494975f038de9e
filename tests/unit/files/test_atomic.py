"""Whole files or none."""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path

import pytest

from ipusim.errors import BadInputError
from ipusim.files.atomic import write_atomic


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_text_and_bytes_are_written(tmp_path: Path) -> None:
    write_atomic(tmp_path / "a.json", "é\n")
    write_atomic(str(tmp_path / "b.bin"), b"\x00\xff")
    assert (tmp_path / "a.json").read_bytes() == b"\xc3\xa9\n"
    assert (tmp_path / "b.bin").read_bytes() == b"\x00\xff"
    assert names(tmp_path) == ["a.json", "b.bin"]


def test_a_new_file_obeys_the_umask(tmp_path: Path) -> None:
    before = os.umask(0o027)
    try:
        write_atomic(tmp_path / "a", "x")
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "a").stat().st_mode) == 0o640


def test_mode_and_link_of_an_existing_file_stay(tmp_path: Path) -> None:
    real, link = tmp_path / "real", tmp_path / "link"
    real.write_text("old")
    real.chmod(0o604)
    link.symlink_to(real)
    write_atomic(link, "new")
    assert link.is_symlink()
    assert real.read_text() == "new"
    assert stat.S_IMODE(real.stat().st_mode) == 0o604


def test_something_that_is_no_regular_file_is_written_directly() -> None:
    write_atomic("/dev/null", "x")
    assert stat.S_ISCHR(Path("/dev/null").stat().st_mode)


@pytest.mark.parametrize("failing", ["fsync", "replace"])
def test_a_failure_leaves_the_old_file_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, failing: str
) -> None:
    def fail(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    target = tmp_path / "a"
    target.write_text("old")
    monkeypatch.setattr(*((os, "fsync") if failing == "fsync" else (Path, "replace")), fail)
    with pytest.raises(BadInputError) as caught:
        write_atomic(target, "new")
    advice = "the disk is full: free some space or choose another place"
    assert str(caught.value) == f"{target}: cannot be written: {advice}"
    assert target.read_text() == "old"
    assert names(tmp_path) == ["a"]


def test_an_interruption_leaves_nothing_either(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "fsync", interrupt)
    with pytest.raises(KeyboardInterrupt):
        write_atomic(tmp_path / "a", "new")
    assert names(tmp_path) == []


@pytest.mark.parametrize(
    ("code", "advice"),
    [
        (errno.EROFS, "the file system is read-only: choose another place"),
        (errno.EACCES, "no permission to write there: choose another place"),
        (errno.EDQUOT, "the disk quota is used up: free some space or choose another place"),
        (errno.EIO, "the disk does not answer: choose another place"),
        (errno.EMFILE, "Too many open files"),
    ],
)
def test_every_reason_comes_with_advice(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: int, advice: str
) -> None:
    def fail(**_: object) -> None:
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr("tempfile.mkstemp", fail)
    with pytest.raises(BadInputError) as caught:
        write_atomic(tmp_path / "a", "new")
    assert caught.value.problems[0].message == f"cannot be written: {advice}"


def test_impossible_places_are_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("file").write_text("x")
    found = {}
    for place in ("gone/a", "file/a", ".", "a" * 300, "a\0b"):
        with pytest.raises(BadInputError) as caught:
            write_atomic(place, "x")
        found[place] = caught.value.problems[0].message.removeprefix("cannot be written: ")
    assert found == {
        "gone/a": "there is no folder 'gone': create it first",
        "file/a": "'file' is not a folder",
        ".": "this is a folder: give a file name",
        "a" * 300: "the name is too long",
        "a\0b": found["a\0b"],
    }
    assert "null byte" in found["a\0b"]
