"""Folders of what can be computed again, kept within bounds: what was used last stays.

Several processes may use them at once: what one of them removes, another one finds missing, and computes again.
"""

from __future__ import annotations

import os
import shutil
import tempfile
import time
from contextlib import suppress
from functools import cache
from pathlib import Path
from secrets import token_hex

MOST_FOLDERS = 8
"""Folders of earlier versions that are kept beside each other."""

_IN_USE_S = 3600.0
"""A folder that was used within this time is left alone, however many there are."""

_LEAVING = ".leaving-"


@cache
def used_folder(parent: Path, name: str) -> Path | None:
    """Return a folder for entries of one version, and remove those of versions that were not used for longest.

    Parameters
    ----------
    parent : Path
        Folder of all versions.
    name : str
        Of this version.

    Returns
    -------
    Path or None
        None where nothing can be written.
    """
    folder = parent / name
    try:
        folder.mkdir(parents=True, exist_ok=True)
        tempfile.TemporaryFile(dir=folder).close()
        os.utime(folder)
        _remove_others(parent)
    except (OSError, ValueError):
        return folder if _is_writable(folder) else None
    return folder


def _is_writable(folder: Path) -> bool:
    return folder.is_dir() and os.access(folder, os.W_OK)


def _remove_others(parent: Path) -> None:
    """Remove the folders beyond the bound that nobody has used for a while."""
    now = time.time()
    by_age = sorted(((each.stat().st_mtime, each) for each in parent.iterdir() if each.is_dir()), reverse=True)
    for used, folder in by_age[MOST_FOLDERS:]:
        if now - used < _IN_USE_S:
            continue
        leaving = folder
        if not folder.name.startswith(_LEAVING):
            # nobody may find a folder that is half removed
            leaving = parent / f"{_LEAVING}{token_hex(4)}"
            with suppress(OSError):
                folder.rename(leaving)
        shutil.rmtree(leaving, ignore_errors=True)


def remove_oldest(folder: Path, most: int) -> None:
    """Remove the files of a folder that were not used for longest, down to nine tenths of `most`, if there are more."""
    with suppress(OSError):
        with os.scandir(folder) as found:
            names = [each.path for each in found]
        if len(names) <= most:
            return
        by_age = sorted((_last_used(name), name) for name in names)
        for _, name in by_age[: len(names) - most * 9 // 10]:
            with suppress(OSError):
                os.unlink(name)  # noqa: PTH108 - thousands of them


def _last_used(name: str) -> float:
    try:
        return os.stat(name).st_mtime  # noqa: PTH116 - thousands of them
    except OSError:
        return 0.0
