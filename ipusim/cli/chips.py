"""``ipusim chips``."""

from __future__ import annotations

from cyclopts import App

from ipusim.cli.options import JsonOption, OutputOption, SetOption
from ipusim.cli.output import emit, layout, wants_json

_HELP = """The packaged chips, every constant with its source.

Without a further word: a table of the chips with their sizes and peaks.

Example: ipusim chips show bow --set n_tiles=2944
"""

command = App(name="chips", help=_HELP, help_format="plaintext")


@command.default
def list_chips(*, as_json: JsonOption = False, output: OutputOption = None) -> int:
    """List the packaged chips."""
    from ipusim.chip.load import chip_names, load_chip

    chips = [load_chip(name) for name in chip_names()]
    if wants_json(as_json, output):
        from ipusim.report.chip_document import derived_peaks
        from ipusim.report.json import render_json

        entries = [
            {"name": chip.name, "description": chip.description, "derived": derived_peaks(chip)} for chip in chips
        ]
        emit(render_json({"chips": entries}), output)
        return 0
    from ipusim.report.chips import render_chips

    emit(render_chips(chips, *layout(output)), output)
    return 0


@command.command
def show(name: str, /, *, settings: SetOption = (), as_json: JsonOption = False, output: OutputOption = None) -> int:
    """One chip: every constant with unit, source and confidence, and the peaks that follow.

    Example: ipusim chips show gc200 --json

    Parameters
    ----------
    name
        A packaged chip or a chip file.
    """
    from ipusim.chip.load import load_chip

    chip = load_chip(name, settings)
    if wants_json(as_json, output):
        from ipusim.report.chip_document import chip_document
        from ipusim.report.json import render_json

        emit(render_json(chip_document(chip)), output)
        return 0
    from ipusim.report.chips import render_chip

    emit(render_chip(chip, *layout(output)), output)
    return 0
