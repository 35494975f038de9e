"""``ipusim validate``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from ipusim.cli.files import missing_folders
from ipusim.cli.options import JsonOption, OutputOption, SetOption
from ipusim.cli.output import emit, layout, wants_json
from ipusim.cli.progress import progress_line
from ipusim.errors import BadInputError


def command(
    *,
    only: Annotated[str, Parameter(help="Names of sources to run; several with commas.")] = "",
    points: Annotated[bool, Parameter(help="List every measured point with its prediction.")] = False,
    settings: SetOption = (),
    workers: int | None = None,
    html: Annotated[Path | None, Parameter(name="--html")] = None,
    as_json: JsonOption = False,
    output: OutputOption = None,
) -> int:
    """How far is the model from published measurements, and where?

    Runs the packaged measurements of real hardware through compiler and timing, as
    a user's workload runs, and shows bias, mean and worst error of each source.
    Fitted constants are fitted again without each series, and tried on it. The
    exit code is 1 when a documented band is left. Takes up to a minute, the first
    time up to two.

    Example: ipusim validate --only dense_matmul --set exchange_bytes_per_cycle=8

    Parameters
    ----------
    workers
        Processes; as many as there are processor cores by default.
    html
        Write a page with predicted against measured to this file, too.
    """
    if problems := missing_folders(("--html", html), ("--output", output)):
        raise BadInputError(problems)
    from ipusim.validation import validate

    chosen = [name.strip() for name in only.split(",") if name.strip()]
    with progress_line() as progress:
        validation = validate(chosen, settings=settings, workers=workers, progress=progress)
    document = validation.to_dict()
    if html is not None:
        from ipusim.files.atomic import write_atomic

        write_atomic(html, validation.to_html())
    if wants_json(as_json, output):
        from ipusim.report.json import render_json

        emit(render_json(document), output)
    else:
        from ipusim.report.validation import render_validation

        width, colour = layout(output)
        emit(render_validation(document, width, colour, points), output)
    return 0 if validation.passed else 1
