"""Write a file completely or not at all."""

from __future__ import annotations

import contextlib
import errno
import os
import stat
import tempfile
from pathlib import Path

from ipusim.errors import BadInputError, Problem

_ADVICE = {
    errno.ENOSPC: "the disk is full: free some space or choose another place",
    errno.EDQUOT: "the disk quota is used up: free some space or choose another place",
    errno.EFBIG: "the file would be larger than the system allows (ulimit -f): choose another place",
    errno.EIO: "the disk does not answer: choose another place",
    errno.EROFS: "the file system is read-only: choose another place",
    errno.EACCES: "no permission to write there: choose another place",
    errno.EPERM: "no permission to write there: choose another place",
    errno.ENAMETOOLONG: "the name is too long",
    errno.EISDIR: "this is a folder: give a file name",
}


def write_atomic(path: str | Path, content: str | bytes) -> None:
    """Write `content` to `path` so that a reader sees either the old file or the whole new one.

    A temporary file in the same folder is written, synced and renamed. The mode of an existing file is kept, and a
    symbolic link stays a link.

    Parameters
    ----------
    path : str or Path
        File to write. Something that is no regular file, such as ``/dev/stdout``, is written directly.
    content : str or bytes
        Text is written as UTF-8.

    Raises
    ------
    BadInputError
        When the file cannot be written; nothing is left behind.
    """
    data = content.encode() if isinstance(content, str) else content
    target = Path(path)
    try:
        _write(Path(os.path.realpath(target)), data)
    except FileNotFoundError:
        raise _problem(path, f"there is no folder {str(target.parent)!r}: create it first") from None
    except NotADirectoryError:
        raise _problem(path, f"{str(target.parent)!r} is not a folder") from None
    except (OSError, ValueError) as error:
        raise _problem(path, advice(error)) from None


def advice(error: OSError | ValueError) -> str:
    """Return what an error of writing says, and what to do about it."""
    code = getattr(error, "errno", None)
    return _ADVICE.get(code or 0) or getattr(error, "strerror", None) or str(error)


def _write(target: Path, data: bytes) -> None:
    status = target.stat() if target.exists() else None
    if status is not None and stat.S_ISDIR(status.st_mode):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
    if status is not None and not stat.S_ISREG(status.st_mode):
        target.write_bytes(data)
        return
    handle, name = tempfile.mkstemp(prefix=".ipusim-", suffix=".tmp", dir=target.parent)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fchmod(file.fileno(), stat.S_IMODE(status.st_mode) if status else 0o666 & ~_umask())
            os.fsync(file.fileno())
        Path(name).replace(target)
    except BaseException:
        with contextlib.suppress(OSError):
            Path(name).unlink()
        raise


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def _problem(path: str | Path, reason: str) -> BadInputError:
    return BadInputError([Problem(os.fspath(path), 0, 0, "", f"cannot be written: {reason}")])
