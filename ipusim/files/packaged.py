"""Files that come with ipusim: chips (``configs``), workloads, and spaces to explore.

A wheel holds them inside the package; in a source checkout they stand beside it. Spaces are a folder of the workloads.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Literal, TypeAlias

from ipusim.errors import BadInputError, Problem
from ipusim.files.wording import did_you_mean, join_words

Kind: TypeAlias = Literal["configs", "workloads", "spaces"]

_PACKAGE = Path(__file__).parents[1]
_NOUNS = {"configs": "chip", "workloads": "workload", "spaces": "space"}
_FOLDERS = {"configs": "configs", "workloads": "workloads", "spaces": "workloads/explore"}
_ELSEWHERE = {"workloads": "explore/"}
"""Names that belong to another kind."""
_SUFFIX = ".yaml"


def packaged_folder(kind: Kind) -> Path:
    """Return the folder of the packaged files of one kind; it may be missing from a broken installation."""
    installed = _PACKAGE / _FOLDERS[kind]
    return installed if installed.is_dir() else _PACKAGE.parent / _FOLDERS[kind]


def packaged_names(kind: Kind) -> tuple[str, ...]:
    """Return the sorted names of the packaged files: ``bow``, or ``training/digits-mlp`` for one in a sub-folder."""
    folder = packaged_folder(kind)
    names = (path.relative_to(folder).with_suffix("").as_posix() for path in folder.rglob(f"*{_SUFFIX}"))
    other = _ELSEWHERE.get(kind)
    return tuple(sorted(name for name in names if other is None or not name.startswith(other)))


def packaged_file(kind: Kind, name: str) -> Path:
    """Return the path of a packaged file.

    Raises
    ------
    BadInputError
        When there is none of that name; the nearest name is suggested.
    """
    names = packaged_names(kind)
    if name in names:
        return packaged_folder(kind) / f"{name}{_SUFFIX}"
    hint = did_you_mean(name, names) or f"there are {join_words(names, 'and')}"
    raise BadInputError([Problem(name, 0, 0, "", f"there is no packaged {_NOUNS[kind]} of this name", hint)])


def find_file(kind: Kind, source: str | Path, folder: Path | None = None) -> Path:
    """Return the file that a user means by `source`: a packaged name or a path.

    Parameters
    ----------
    kind : {'configs', 'workloads'}
        Where packaged names are looked up.
    source : str or Path
        A packaged name such as ``bow``, which comes before a file of the same name (write ``./bow`` for that), or a
        path.
    folder : Path, optional
        What a relative path is relative to; the working directory by default.

    Raises
    ------
    BadInputError
        When `source` is neither a packaged name nor an existing file. A missing path that resembles no packaged name
        is returned, for ``load_document`` to report.
    """
    text = os.fspath(source)
    if isinstance(source, str) and text in packaged_names(kind):
        return packaged_file(kind, text)
    if "\0" in text:
        raise BadInputError([Problem(repr(text), 0, 0, "", "no file can have this name")])
    path = (folder or Path()) / text
    if os.path.exists(path):  # noqa: PTH110 - Path.exists raises for a name that is too long
        return path
    if path.suffix == "" and os.sep not in text and isinstance(source, str):
        return packaged_file(kind, text)
    if path.stem in packaged_names(kind):
        hint = f"the packaged {_NOUNS[kind]} is called {path.stem!r}"
        raise BadInputError([Problem(str(path), 0, 0, "", "no such file", hint)])
    return path
