"""``ipusim report``."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from ipusim.cli.files import missing_folders
from ipusim.cli.options import OutputOption
from ipusim.cli.output import emit, layout
from ipusim.errors import BadInputError

_PAGES = (".html", ".htm")

Render = Callable[[dict[str, Any]], str]


def command(result: Path, /, *, output: OutputOption = None) -> int:
    """Show a saved result, at the terminal or as a page.

    The page is one file that needs nothing else. What it shows of supersteps and
    tiles has to be in the result: save it with ipusim run --profile -o FILE.json.

    Example: ipusim report result.json -o result.html

    Parameters
    ----------
    result
        A file that ipusim run or ipusim compare wrote with -o FILE.json.
    """
    from ipusim.report.saved import load_result, rendered

    problems = missing_folders(("--output", output))
    if problems:
        raise BadInputError(problems)
    document = load_result(result)
    is_page = output is not None and output.suffix in _PAGES
    render = _page(document) if is_page else _text(document, *layout(output))
    emit(rendered(result, render, document), output)
    return 0


def _page(document: dict[str, Any]) -> Render:
    from ipusim.report.html.compare import render_comparison_page
    from ipusim.report.html.run import render_run_page
    from ipusim.report.saved import COMPARISON

    return render_comparison_page if document["schema"] == COMPARISON else render_run_page


def _text(document: dict[str, Any], width: int, colour: bool) -> Render:
    from ipusim.report.compare import render_comparison
    from ipusim.report.saved import COMPARISON
    from ipusim.report.terminal import render_run

    render = render_comparison if document["schema"] == COMPARISON else render_run
    return lambda result: render(result, width, colour)
