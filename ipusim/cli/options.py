"""Options that several commands share."""

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

ChipOption = Annotated[
    str | None,
    Parameter(name="--chip", help="A packaged chip or a chip file, instead of the one the workload names."),
]
SetOption = Annotated[
    tuple[str, ...],
    Parameter(
        name="--set",
        help="KEY.PATH=VALUE: override a field of the chip or of the workload; may be repeated.",
        consume_multiple=False,
    ),
]
JsonOption = Annotated[bool, Parameter(name="--json", help="Write one JSON document and nothing else.")]
OutputOption = Annotated[
    Path | None,
    Parameter(name=["--output", "-o"], help="Write to this file (whole or not at all) instead of to stdout."),
]
ThreadsOption = Annotated[
    int | None,
    Parameter(name="--threads", help="Threads for the execution; all the processor cores by default."),
]
