"""Headers and contents of array files."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from ipusim.frontends.array_files import array_shape, read_array


def test_shape_is_read_from_the_header(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", np.zeros((2, 5), np.int8))
    assert array_shape(tmp_path / "a.npy", "w") == (2, 5)
    content = (tmp_path / "a.npy").read_bytes()
    (tmp_path / "cut.npy").write_bytes(content[:-4])
    assert array_shape(tmp_path / "cut.npy", "w") == (2, 5)
    with pytest.raises(ValueError, match="cannot be read"):
        read_array(tmp_path / "cut.npy", "w")


def test_archive_with_one_array_needs_no_name(tmp_path: Path) -> None:
    np.savez(tmp_path / "one.npz", anything=np.arange(3))
    np.testing.assert_array_equal(read_array(tmp_path / "one.npz", "w"), [0, 1, 2])


def test_archive_with_several_arrays_goes_by_name(tmp_path: Path) -> None:
    np.savez(tmp_path / "two.npz", w=np.arange(3), x=np.arange(4))
    assert array_shape(tmp_path / "two.npz", "x") == (4,)
    with pytest.raises(ValueError, match=r"has no array 'y'; it holds w, x"):
        array_shape(tmp_path / "two.npz", "y")


@pytest.mark.parametrize("name", ["a.npy", "a.npz", "a.txt"])
def test_other_files(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(b"plain text")
    with pytest.raises(ValueError, match=r"is not a numpy array file|cannot be read"):
        array_shape(tmp_path / name, "w")


def test_pickles_are_never_loaded(tmp_path: Path) -> None:
    np.save(tmp_path / "o.npy", np.array([{}], dtype=object))
    with pytest.raises(ValueError, match="instead of real numbers"):
        read_array(tmp_path / "o.npy", "w")


def test_folder(tmp_path: Path) -> None:
    (tmp_path / "folder.npy").mkdir()
    with pytest.raises(ValueError, match="cannot be read"):
        array_shape(tmp_path / "folder.npy", "w")
