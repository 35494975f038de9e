"""Only files are opened, whatever a name leads to."""

from __future__ import annotations

import os
import threading
from pathlib import Path

from ipusim.files.regular import open_regular


def refusal(path: Path) -> str | None:
    try:
        open_regular(path)
    except OSError as error:
        return error.strerror
    return "nothing"


def test_files_are_opened(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"content")
    (tmp_path / "link").symlink_to("a")
    with open_regular(tmp_path / "link") as stream:
        assert stream.read() == b"content"


def test_nothing_else_is(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "loop").symlink_to("loop")
    (tmp_path / "zero").symlink_to("/dev/zero")
    assert refusal(tmp_path) == "it is a folder"
    assert refusal(tmp_path / "zero") == "it is a device, not a file"
    assert refusal(tmp_path / "pipe") == "it is a pipe, not a file"
    assert refusal(tmp_path / "loop") == "Too many levels of symbolic links"
    assert refusal(tmp_path / "gone") == "No such file or directory"


def test_a_pipe_is_read_where_it_may_be_one(tmp_path: Path) -> None:
    path = tmp_path / "pipe"
    os.mkfifo(path)
    with open_regular(path, may_be_pipe=True) as stream:
        assert stream.read() == b""
    reader = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    writer = os.open(path, os.O_WRONLY)

    def write() -> None:
        os.write(writer, b"late")
        os.close(writer)

    with open_regular(path, may_be_pipe=True) as stream:
        os.close(reader)
        later = threading.Timer(0.05, write)
        later.start()
        assert stream.read() == b"late"
        later.join()
