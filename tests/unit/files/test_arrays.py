"""Array files that nobody vouches for."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ipusim.files.arrays import ArrayFileError, open_archive, read_npy, read_npy_header


def npy(array: np.ndarray[Any, Any]) -> bytes:
    stream = io.BytesIO()
    np.save(stream, array)
    return stream.getvalue()


def refusal(path: Path) -> str:
    with pytest.raises(ArrayFileError) as caught:
        read_npy(path)
    return str(caught.value)


@pytest.mark.parametrize(
    "array", [np.arange(6).reshape(2, 3), np.asfortranarray(np.eye(3)), np.float32(2), np.zeros((0, 4))]
)
def test_arrays_are_read_as_numpy_reads_them(tmp_path: Path, array: Any) -> None:
    np.save(tmp_path / "a.npy", array)
    np.testing.assert_array_equal(read_npy(tmp_path / "a.npy"), array)
    assert read_npy_header(tmp_path / "a.npy").shape == np.shape(array)
    np.savez_compressed(tmp_path / "a.npz", a=array, b=np.array("word"))
    with open_archive(tmp_path / "a.npz") as archive:
        assert archive.names == ("a", "b")
        assert archive.header("a").dtype == np.asarray(array).dtype
        np.testing.assert_array_equal(archive.array("a"), array)
        assert archive.array("b").item() == "word"


def test_a_header_that_asks_for_more_than_there_is(tmp_path: Path) -> None:
    path = tmp_path / "a.npy"
    content = npy(np.zeros(4))
    path.write_bytes(content.replace(b"(4,)", b"(9999999999,)").replace(b" " * 9 + b"\n", b"\n"))
    assert refusal(path).startswith("cannot be read: its header asks for 79,999,999,992 bytes")
    path.write_bytes(content.replace(b"(4,)", b"(-4,)").replace(b" \n", b"\n"))
    assert refusal(path) == "has the impossible shape [-4]"
    path.write_bytes(content[:-1])
    assert refusal(path) == "cannot be read: its header asks for 32 bytes, and 31 follow"


def test_what_is_no_array(tmp_path: Path) -> None:
    np.save(tmp_path / "o.npy", np.array([{}], dtype=object))
    assert refusal(tmp_path / "o.npy") == "holds object instead of real numbers"
    (tmp_path / "o.npy").write_bytes(b"\x93NUMPY\x01\x00\x05\x00((((\n")
    assert refusal(tmp_path / "o.npy") == "is not a numpy array file"
    (tmp_path / "zero.npy").symlink_to("/dev/zero")
    assert refusal(tmp_path / "zero.npy") == "cannot be read: it is a device, not a file"


def test_a_bomb_is_not_unpacked(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.npz", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a.npy", npy(np.zeros(10**6)))
    with open_archive(tmp_path / "a.npz") as opened, pytest.raises(ArrayFileError, match="the most is 1,000"):
        opened.array("a", 1000)


def test_damaged_archives_are_told_in_one_way(tmp_path: Path) -> None:
    whole = io.BytesIO()
    with zipfile.ZipFile(whole, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a.npy", npy(np.arange(1000)))
    content = whole.getvalue()
    path = tmp_path / "a.npz"
    found = 0
    for place in range(0, len(content), 7):
        path.write_bytes(content[:place] + bytes([content[place] ^ 0xFF]) + content[place + 1 :])
        try:
            with open_archive(path) as opened:
                opened.array("a")
        except ArrayFileError:
            found += 1
    assert found > len(content) // 14
