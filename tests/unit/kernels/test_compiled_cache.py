"""What Numba keeps of compiled functions: damaged, missing, impossible to write, written by two processes."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numba
import pytest
from numba.core import caching

from ipusim.cli.progress import COMPILING, tell_of_compiling
from ipusim.kernels import jit


def half(number):
    return number // 2


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    before = numba.config.CACHE_DIR
    monkeypatch.setenv("IPUSIM_CACHE_DIR", str(tmp_path))
    _, is_cached = jit._numba(jit.KERNEL_ROOMS)
    assert is_cached
    yield tmp_path
    numba.config.CACHE_DIR = before


def hits(*numbers: float) -> int:
    """Compile anew, as another process would, and return how often that was read from the cache."""
    dispatcher = numba.njit(cache=True)(half)
    for number in numbers:
        assert dispatcher(number) == number // 2
    return sum(dispatcher.stats.cache_hits.values())


def files(cache: Path) -> list[Path]:
    return sorted(cache.glob("numba/*/*/*"))


def test_what_was_compiled_is_found_again(cache: Path) -> None:
    assert hits(7, 7.5) == 0
    assert [path.suffix for path in files(cache)] == [".nbc", ".nbc"]
    assert hits(9, 8.5) == 2


@pytest.mark.usefixtures("cache")
def test_what_is_not_found_is_told_once(monkeypatch: pytest.MonkeyPatch, capsys: Any) -> None:
    monkeypatch.setattr("ipusim.kernels.caching._listeners", [])
    tell_of_compiling()
    assert hits(7, 7.5) == 0
    assert tuple(capsys.readouterr()) == ("", f"{COMPILING}\n")
    tell_of_compiling()
    assert hits(7, 7.5) == 2
    assert tuple(capsys.readouterr()) == ("", "")


def test_a_damaged_file_counts_for_nothing(cache: Path) -> None:
    hits(7)
    (path,) = files(cache)
    content = path.read_bytes()
    middle = len(content) // 2
    for damaged in (content[:middle], content[:middle] + bytes([content[middle] ^ 1]) + content[middle + 1 :], b""):
        path.write_bytes(damaged)
        assert hits(7) == 0
        assert hits(7) == 1


def test_the_code_for_other_types_counts_for_nothing(cache: Path) -> None:
    """Two processes at once write files of their own; with Numba's numbers they could write the same one."""
    first, second = (numba.njit(cache=True)(half) for _ in range(2))
    first(7)
    second(7.5)
    assert len(files(cache)) == 2
    assert hits(7, 7.5) == 2


def test_a_full_disk_is_no_hindrance(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    @contextmanager
    def full(*_: Any) -> Iterator[None]:
        raise OSError(errno.ENOSPC, "No space left on device")
        yield

    monkeypatch.setattr(caching.IndexDataCacheFile, "_open_for_write", full)
    assert hits(7) == 0
    assert files(cache) == []


def test_nor_is_a_folder_that_cannot_be(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = numba.config.CACHE_DIR
    (tmp_path / "file").write_text("x")
    monkeypatch.setenv("IPUSIM_CACHE_DIR", str(tmp_path / "file"))
    try:
        assert jit._numba(jit.KERNEL_ROOMS)[1] is False
    finally:
        numba.config.CACHE_DIR = before
