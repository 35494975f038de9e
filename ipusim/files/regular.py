"""Opens files that a user names, and nothing else that a name may lead to: no device, no pipe that waits for ever."""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path
from typing import BinaryIO

_KINDS = {
    stat.S_IFDIR: (errno.EISDIR, "it is a folder"),
    stat.S_IFCHR: (errno.ENODEV, "it is a device, not a file"),
    stat.S_IFBLK: (errno.ENODEV, "it is a device, not a file"),
    stat.S_IFIFO: (errno.ESPIPE, "it is a pipe, not a file"),
    stat.S_IFSOCK: (errno.ENXIO, "it is a socket, not a file"),
}


def open_regular(path: Path, may_be_pipe: bool = False) -> BinaryIO:
    """Return an open file to read from.

    Parameters
    ----------
    path : Path
    may_be_pipe : bool
        Take a pipe, too, such as a shell makes for ``<(command)``; one that nobody writes to is empty.

    Raises
    ------
    OSError
        There is no such file, it may not be read, or it is no file; ``strerror`` says which.
    ValueError
        No file can have this name.
    """
    # without O_NONBLOCK, the call itself would wait for somebody to write to a pipe
    handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        kind = stat.S_IFMT(os.fstat(handle).st_mode)
        if kind != stat.S_IFREG and not (may_be_pipe and kind == stat.S_IFIFO):
            code, what = _KINDS.get(kind, (errno.EINVAL, "it is no file"))
            raise OSError(code, what, str(path))
        os.set_blocking(handle, True)
        return os.fdopen(handle, "rb")
    except BaseException:
        os.close(handle)
        raise
