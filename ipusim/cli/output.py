"""Where the text of a command goes, and how it has to look there."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

from ipusim.files.atomic import write_atomic

_PLAIN_BARS = str.maketrans("█▓▒░▁▂▃▄▅▆▇", "#+-._.:-=+*") | {ord("±"): "+-"}
_NARROWEST, _WIDEST, _PIPED = 60, 120, 80


def emit(text: str, output: Path | None) -> None:
    """Write `text` to the file `output`, or to stdout when there is none."""
    if output is not None:
        write_atomic(output, text)
        return
    sys.stdout.write(_printable(text, sys.stdout.encoding or "utf-8"))


def _printable(text: str, encoding: str) -> str:
    """Return `text` in what a terminal of another encoding than UTF-8 can show."""
    try:
        text.encode(encoding)
    except UnicodeEncodeError:
        return text.translate(_PLAIN_BARS).encode(encoding, "replace").decode(encoding)
    return text


def wants_json(as_json: bool, output: Path | None) -> bool:
    """Tell whether the result is wanted as JSON: asked for, or to be written to a ``.json`` file."""
    return as_json or (output is not None and output.suffix == ".json")


def layout(output: Path | None) -> tuple[int, bool]:
    """Return the number of columns and whether colour suits where the text goes."""
    if output is not None or not sys.stdout.isatty():
        return _PIPED, False
    width = min(max(shutil.get_terminal_size((_PIPED, 24)).columns, _NARROWEST), _WIDEST)
    return width, "NO_COLOR" not in os.environ and os.environ.get("TERM") != "dumb"
