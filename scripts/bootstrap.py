"""Make the `.venv` of this checkout: ``bootstrap.py ROOT [dev]``. Standard library only; called by environment.sh.

The environment holds the packages of ``requirements.txt``, with ``dev`` those of ``requirements-dev.txt`` too, and,
through a ``.pth`` file, this checkout. A stamp file is written last: without it, or when it does not say what
environment.sh expects, the environment is made anew; what developers need is added to one that users have. A lock keeps
two starts at the same time apart; the second one finds the work done.

Nothing is compiled to bytecode ahead: Python does that with the few modules that it imports, when it imports them.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
import sys
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

ROOT = Path(sys.argv[1])
DEVELOPER = sys.argv[2:] == ["dev"]
VENV = ROOT / ".venv"
STAMP = VENV / "ipusim.stamp"
REQUIREMENTS = ROOT / "scripts" / "requirements.txt"
FOR_DEVELOPERS = ROOT / "scripts" / "requirements-dev.txt"
PYTHON = VENV / "bin" / "python"


def expected_stamp(developer: bool) -> bytes:
    """Return what the stamp of a finished environment says (environment.sh builds the same text)."""
    parts = [os.fsencode(ROOT), REQUIREMENTS.read_bytes(), Path(__file__).read_bytes()]
    if developer:
        parts.append(FOR_DEVELOPERS.read_bytes())
    return b"\n".join(part.rstrip(b"\n") for part in parts) + b"\n"


def found_stamp() -> bytes:
    """Return what the stamp of the environment that is there says; nothing if there is none."""
    return STAMP.read_bytes() if STAMP.is_file() and PYTHON.exists() else b""


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold an exclusive lock on `path`.

    The system gives it back when this process and the installers it started have ended, however they end.
    """
    with path.open("w") as file:
        os.set_inheritable(file.fileno(), True)
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say("another start is setting up .venv; waiting for it")
            fcntl.flock(file, fcntl.LOCK_EX)
        yield


def say(text: str) -> None:
    """Write a message for the user to stderr."""
    print(f"ipusim: {text}", file=sys.stderr, flush=True)


def run(command: Sequence[str | Path]) -> None:
    """Run a command with its output on stderr; raise ``CalledProcessError`` when it fails."""
    words = [os.fspath(part) for part in command]
    subprocess.run(words, check=True, stdin=subprocess.DEVNULL, stdout=sys.stderr, close_fds=False)


def remove() -> None:
    """Remove what an interrupted or outdated set-up left behind, the stamp first."""
    STAMP.unlink(missing_ok=True)
    if VENV.exists():
        shutil.rmtree(VENV)


def install() -> None:
    """Install the pinned packages, into a new environment or into that of a user: by uv if it can, else by pip."""
    wanted: list[str | Path] = ["-r", REQUIREMENTS]
    if DEVELOPER:
        wanted += ["-r", FOR_DEVELOPERS]
    is_there = found_stamp() == expected_stamp(developer=False)
    uv = shutil.which("uv")
    if uv:
        try:
            if not is_there:
                remove()
                run([uv, "venv", "--quiet", "--python", sys.executable, VENV])
            run([uv, "pip", "install", "--quiet", "--python", PYTHON, *wanted])
        except subprocess.CalledProcessError:
            say("uv could not install the packages; trying pip")
            is_there = False
        else:
            return
    if not is_there or not (VENV / "bin" / "pip").exists():
        remove()
        run([sys.executable, "-m", "venv", VENV])
    quiet = ("-qq", "--no-input", "--disable-pip-version-check")
    run([PYTHON, "-m", "pip", "install", *quiet, "--no-compile", *wanted])


def add_checkout() -> None:
    """Put the checkout on the environment's import path."""
    query = "import sysconfig; print(sysconfig.get_path('purelib'))"
    answer = subprocess.run([os.fspath(PYTHON), "-c", query], check=True, capture_output=True, text=True)
    Path(answer.stdout.strip(), "ipusim.pth").write_bytes(os.fsencode(ROOT) + b"\n")


def main() -> int:
    """Make the environment unless it is there; return the exit code."""
    with locked(ROOT / ".venv.lock"):
        if found_stamp().startswith(expected_stamp(DEVELOPER)):
            return 0
        whose = "those of developers among them; " if DEVELOPER else ""
        say(f"setting up .venv with the pinned packages ({whose}once; some minutes)")
        try:
            install()
            add_checkout()
        except subprocess.CalledProcessError as error:
            say(f"the set-up failed: {' '.join(error.cmd)}")
            return 1
        partial = STAMP.with_suffix(".partial")
        partial.write_bytes(expected_stamp(DEVELOPER))
        partial.replace(STAMP)
        say("the set-up is done")
    return 0


if __name__ == "__main__":
    with suppress(KeyboardInterrupt):
        sys.exit(main())
    say("the set-up was interrupted; the next start begins it anew")
    sys.exit(130)
