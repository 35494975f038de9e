"""``ipusim report``."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

from cyclopts import Parameter

from ipusim.cli.files import missing_folders
from ipusim.cli.options import OutputOption
from ipusim.cli.output import emit, layout
from ipusim.errors import BadInputError, Problem

_PAGES = (".html", ".htm")

Document = dict[str, Any]


def command(
    result: Path,
    /,
    *,
    diff: Annotated[Path | None, Parameter(name="--diff")] = None,
    output: OutputOption = None,
) -> int:
    """Show a saved result, at the terminal or as a page.

    The page is one file that needs nothing else. What it shows of supersteps and
    tiles has to be in the result: save it with ipusim run --profile -o FILE.json.

    Example: ipusim report result.json -o result.html

    Parameters
    ----------
    result
        A file that ipusim run, compare, explore, train or validate wrote with -o FILE.json.
    diff
        A second such file: show what got faster and slower from the one after --diff to the other, and which plans and
        constants differ.
    """
    from ipusim.report.saved import COMPARISON, RUN, load_result, load_results, rendered

    problems = missing_folders(("--output", output))
    if problems:
        raise BadInputError(problems)
    is_page = output is not None and output.suffix in _PAGES
    if diff is None:
        document = load_result(result)
        render = _page(document) if is_page else _text(document, *layout(output))
        emit(rendered(result, render, document), output)
        return 0
    document, before = load_results(result, diff)
    if not {before["schema"], document["schema"]} <= {RUN, COMPARISON}:
        message = "shows runs and comparisons, not explorations, trainings and validations"
        raise BadInputError([Problem("--diff", 0, 0, "", message)])
    if before["schema"] != document["schema"]:
        message = f"is another kind of result than {str(result)!r}: {before['schema']} and {document['schema']}"
        raise BadInputError([Problem(str(diff), 0, 0, "", message)])
    render = _diff(before, is_page, *layout(output))
    emit(rendered(result, render, document), output)
    return 0


def _page(document: Document) -> Callable[[Document], str]:
    from ipusim.report.html.compare import render_comparison_page
    from ipusim.report.html.explore import render_exploration_page
    from ipusim.report.html.run import render_run_page
    from ipusim.report.html.train import render_training_page
    from ipusim.report.html.validation import render_validation_page
    from ipusim.report.saved import COMPARISON, EXPLORATION, METHODS, TRAINING, VALIDATION

    pages = {
        COMPARISON: render_comparison_page,
        EXPLORATION: render_exploration_page,
        METHODS: render_training_page,
        TRAINING: render_training_page,
        VALIDATION: render_validation_page,
    }
    return pages.get(document["schema"], render_run_page)


def _text(document: Document, width: int, colour: bool) -> Callable[[Document], str]:
    from ipusim.report.compare import render_comparison
    from ipusim.report.explore import render_exploration
    from ipusim.report.saved import COMPARISON, EXPLORATION, METHODS, TRAINING, VALIDATION
    from ipusim.report.terminal import render_run
    from ipusim.report.training import render_methods, render_training
    from ipusim.report.validation import render_validation

    texts: dict[str, Callable[..., str]] = {
        COMPARISON: render_comparison,
        EXPLORATION: render_exploration,
        METHODS: render_methods,
        TRAINING: render_training,
        VALIDATION: render_validation,
    }
    render = texts.get(document["schema"], render_run)
    return lambda result: render(result, width, colour)


def _diff(before: Document, is_page: bool, width: int, colour: bool) -> Callable[[Document], str]:
    from ipusim.report.diff import diff_results
    from ipusim.report.diff_terminal import render_diff
    from ipusim.report.html.diff import render_diff_page

    if is_page:
        return lambda after: render_diff_page(diff_results(before, after))
    return lambda after: render_diff(diff_results(before, after), width, colour)
