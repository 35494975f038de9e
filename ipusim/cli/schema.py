"""``ipusim schema``."""

from __future__ import annotations

from typing import Literal

from ipusim.cli.options import OutputOption
from ipusim.cli.output import emit


def command(kind: Literal["chip", "workload", "space"], /, *, output: OutputOption = None) -> int:
    """JSON Schema of chip, workload and space files, for editors.

    An editor that knows the schema completes and checks the fields while you type.

    Example: ipusim schema workload -o workload.schema.json

    Parameters
    ----------
    kind
        Of which files.
    """
    from ipusim.report.json import render_json

    emit(render_json(_schema(kind)), output)
    return 0


def _schema(kind: str) -> dict[str, object]:
    if kind == "chip":
        from ipusim.chip.schema import chip_file_schema

        return chip_file_schema()
    if kind == "space":
        from ipusim.exploration.schema import space_file_schema

        return space_file_schema()
    from ipusim.frontends.schema import workload_file_schema

    return workload_file_schema()
