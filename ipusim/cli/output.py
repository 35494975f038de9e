"""Where the text of a command goes, and how it has to look there."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ipusim.files.atomic import write_atomic

_NARROWEST, _WIDEST, _PIPED = 60, 120, 80


def emit(text: str, output: Path | None) -> None:
    """Write `text` to the file `output`, or to stdout when there is none."""
    if output is not None:
        write_atomic(output, text)
        return
    reconfigure: Callable[..., Any] | None = getattr(sys.stdout, "reconfigure", None)
    if reconfigure is not None:
        reconfigure(errors="replace")
    sys.stdout.write(text)


def wants_json(as_json: bool, output: Path | None) -> bool:
    """Tell whether the result is wanted as JSON: asked for, or to be written to a ``.json`` file."""
    return as_json or (output is not None and output.suffix == ".json")


def layout(output: Path | None) -> tuple[int, bool]:
    """Return the number of columns and whether colour suits where the text goes."""
    if output is not None or not sys.stdout.isatty():
        return _PIPED, False
    width = min(max(shutil.get_terminal_size((_PIPED, 24)).columns, _NARROWEST), _WIDEST)
    return width, "NO_COLOR" not in os.environ and os.environ.get("TERM") != "dumb"
