"""Finding packaged files and files of the user's."""

from __future__ import annotations

from pathlib import Path

import pytest

from ipusim.errors import BadInputError
from ipusim.files import packaged
from ipusim.files.packaged import find_file, packaged_file, packaged_folder, packaged_names


def test_packaged_chips_are_found() -> None:
    assert {"bow", "c600", "gc2", "gc200", "tiny"} <= set(packaged_names("configs"))
    assert packaged_file("configs", "bow").read_text().startswith("name: bow\n")


def test_an_unknown_name_is_answered_with_the_nearest() -> None:
    with pytest.raises(BadInputError) as caught:
        packaged_file("configs", "Bwo")
    assert str(caught.value) == "Bwo: there is no packaged chip of this name (did you mean 'bow'?)"


def test_an_unlike_name_is_answered_with_all(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(packaged, "_PACKAGE", tmp_path)
    (tmp_path / "workloads" / "training").mkdir(parents=True)
    (tmp_path / "workloads" / "quickstart.yaml").touch()
    (tmp_path / "workloads" / "training" / "digits-mlp.yaml").touch()
    assert packaged_names("workloads") == ("quickstart", "training/digits-mlp")
    with pytest.raises(BadInputError) as caught:
        packaged_file("workloads", "zzz")
    assert caught.value.problems[0].hint == "there are quickstart and training/digits-mlp"


def test_an_installed_package_comes_before_a_checkout(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    package = tmp_path / "ipusim"
    (tmp_path / "configs").mkdir()
    package.mkdir()
    monkeypatch.setattr(packaged, "_PACKAGE", package)
    assert packaged_folder("configs") == tmp_path / "configs"
    (package / "configs").mkdir()
    assert packaged_folder("configs") == package / "configs"


def test_find_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("bow", "mine", "mine.yaml"):
        Path(name).touch()
    assert find_file("configs", "bow") == packaged_file("configs", "bow")
    assert find_file("configs", Path("bow")) == Path("bow")
    assert find_file("configs", "./bow").exists()
    assert find_file("configs", "mine") == Path("mine")
    assert find_file("configs", "mine.yaml") == Path("mine.yaml")
    assert find_file("configs", "mine.yaml", tmp_path) == tmp_path / "mine.yaml"
    assert find_file("configs", "gone.yaml") == Path("gone.yaml")
    with pytest.raises(BadInputError) as name:
        find_file("configs", "mien")
    assert "there is no packaged chip of this name" in str(name.value)
    assert find_file("configs", "a" * 5000 + ".yaml").suffix == ".yaml"
    with pytest.raises(BadInputError, match="no file can have this name"):
        find_file("configs", "a\0b")
    with pytest.raises(BadInputError) as path:
        find_file("configs", "gc200.yaml")
    assert str(path.value) == "gc200.yaml: no such file (the packaged chip is called 'gc200')"
