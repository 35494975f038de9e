"""Folders of what can be computed again stay within bounds."""

from __future__ import annotations

import os
from pathlib import Path

from ipusim.files.caches import MOST_FOLDERS, remove_oldest, used_folder

DAY_S = 86_400


def aged(path: Path, days: float) -> None:
    moment = path.stat().st_mtime - days * DAY_S
    os.utime(path, (moment, moment))


def test_versions_that_were_not_used_for_longest_go(tmp_path: Path) -> None:
    for number in range(MOST_FOLDERS + 3):
        folder = tmp_path / f"version-{number}"
        folder.mkdir()
        (folder / "entry").write_text("x")
        aged(folder, number + 1)
    (tmp_path / ".leaving-0").mkdir()
    aged(tmp_path / ".leaving-0", 99)
    assert used_folder(tmp_path, "new") == tmp_path / "new"
    assert sorted(each.name for each in tmp_path.iterdir()) == [
        "new",
        *(f"version-{number}" for number in range(MOST_FOLDERS - 1)),
    ]


def test_versions_in_use_stay(tmp_path: Path) -> None:
    names = [f"version-{number}" for number in range(MOST_FOLDERS + 3)]
    for name in names:
        (tmp_path / name).mkdir()
    used_folder(tmp_path, "new")
    assert {each.name for each in tmp_path.iterdir()} == {"new", *names}


def test_where_nothing_can_be_written_there_is_no_folder(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    assert used_folder(tmp_path / "file", "new") is None
    assert used_folder(Path("/proc/none"), "new") is None


def test_files_that_were_not_used_for_longest_go(tmp_path: Path) -> None:
    for number in range(30):
        (tmp_path / f"{number:02}").write_text("x")
        aged(tmp_path / f"{number:02}", 30 - number)
    remove_oldest(tmp_path, 30)
    assert len(list(tmp_path.iterdir())) == 30
    remove_oldest(tmp_path, 20)
    assert sorted(each.name for each in tmp_path.iterdir()) == [f"{number:02}" for number in range(12, 30)]
    remove_oldest(tmp_path / "gone", 20)
