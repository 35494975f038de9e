"""Checks of the files that a command is to write, before the work is done."""

from __future__ import annotations

from pathlib import Path

from ipusim.errors import Problem


def missing_folders(*named: tuple[str, Path | None]) -> list[Problem]:
    """Return a problem for each file whose folder does not exist; `named` are pairs of option and file."""
    return [
        Problem(option, 0, 0, "", f"there is no folder {str(path.parent)!r}")
        for option, path in named
        if path is not None and not path.parent.is_dir()
    ]
