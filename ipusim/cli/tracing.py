"""The options of traces: which file, which tiles."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

from ipusim.cli.files import missing_folders
from ipusim.errors import BadInputError, Problem

if TYPE_CHECKING:
    from ipusim.pipeline import Run

MOST_TILES = 256
"""A trace with more tracks than this is of no use to anybody."""

_RANGE = re.compile(r"\s*(\d{1,9})\s*(?:-\s*(\d{1,9})\s*)?")


def check_trace(trace: Path | None, tiles: str | None) -> tuple[int, ...]:
    """Return the tiles of a trace, and refuse options that could not be followed when all the work is done.

    Raises
    ------
    BadInputError
        For a file of another kind, tiles without a trace, and what is no list of tiles.
    """
    problems = missing_folders(("--trace", trace))
    if trace is not None and not trace.name.endswith((".json", ".json.gz")):
        problems.append(Problem("--trace", 0, 0, "", f"{str(trace)!r} ends neither in .json nor in .json.gz"))
    if trace is None and tiles is not None:
        problems.append(Problem("--trace-tiles", 0, 0, "", "needs --trace FILE"))
    found: dict[int, None] = {}
    for part in (tiles or "").split(",") if tiles is not None else ():
        match = _RANGE.fullmatch(part)
        if match is None:
            problems.append(Problem("--trace-tiles", 0, 0, "", f"{part!r} is no tile and no range such as 8-15"))
            continue
        first, last = int(match[1]), int(match[2] or match[1])
        if last < first:
            problems.append(Problem("--trace-tiles", 0, 0, "", f"{part!r} ends before it begins"))
        found |= dict.fromkeys(range(first, min(last, first + MOST_TILES) + 1))
    if len(found) > MOST_TILES:
        problems.append(Problem("--trace-tiles", 0, 0, "", f"more than {MOST_TILES} tiles"))
    if problems:
        raise BadInputError(problems)
    return tuple(sorted(found))


def write_run_trace(run: Run, path: Path, tiles: tuple[int, ...]) -> None:
    """Write the trace of a run; of one that does not fit there is none.

    Raises
    ------
    BadInputError
        A tile that the chip does not have, or the file cannot be written.
    """
    from ipusim.files.atomic import write_atomic

    n_tiles = run.compiled.chip.n_tiles
    beyond = [tile for tile in tiles if tile >= n_tiles]
    if beyond:
        message = f"there is no tile {beyond[0]}: {run.chip} has the tiles 0 to {n_tiles - 1}"
        raise BadInputError([Problem("--trace-tiles", 0, 0, "", message)])
    text = run.to_chrome_trace(tiles)
    if text is None:
        return
    from ipusim.report.chrome_trace import compress_trace

    write_atomic(path, compress_trace(text) if path.name.endswith(".gz") else text)
