"""Points as rows of a table, and tables as files."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Iterator
from itertools import chain, islice
from pathlib import Path
from typing import Any

from ipusim.cost.energy import Energy
from ipusim.errors import BadInputError, Problem
from ipusim.exploration.judging import Verdict
from ipusim.exploration.metrics import METRICS
from ipusim.exploration.space import Space
from ipusim.files.atomic import write_atomic

COMPONENTS = tuple(Energy().to_dict())
"""What energy is told apart into."""

_ERRORS = ("mean_error", "worst_error", "validated_share", "kind_error")
_PER_WORKLOAD = ("cycles", "seconds", "flops", "energy_j", "max_tile_bytes")


def nested_row(space: Space, verdict: Verdict) -> dict[str, Any]:
    """Return a point with its parameters, figures and workloads."""
    return {
        "position": verdict.point.position,
        "status": verdict.status,
        "reason": verdict.reason,
        "parameters": dict(verdict.point.values),
        "figures": dict(verdict.figures),
        "uncertainty": verdict.uncertainty,
        "energy_by_component": verdict.energy_by_component(space),
        "workloads": verdict.by_workload,
    }


def flat_row(space: Space, verdict: Verdict) -> dict[str, Any]:
    """Return a point as a flat row; of several workloads, with the figures of each as ``cycles.NAME``."""
    row: dict[str, Any] = {"position": verdict.point.position, "status": verdict.status, "reason": verdict.reason}
    for parameter in (*space.parameters, *space.derived):
        value = verdict.point.values.get(parameter.name)
        row[parameter.name] = json.dumps(value) if isinstance(value, list) else value
    row |= {name: verdict.figures.get(name) for name in METRICS}
    error = verdict.uncertainty or {}
    row |= {f"model_{name}": error.get(name) for name in _ERRORS}
    row["model_outside"] = ", ".join(error["outside_words"]) if error else None
    energies = verdict.energy_by_component(space)
    row |= {f"energy_j.{name}": energies.get(name) for name in COMPONENTS}
    if len(space.members) > 1:
        for member in space.members:
            figures = verdict.by_workload.get(member.label, {})
            row |= {f"{name}.{member.label}": figures.get(name) for name in _PER_WORKLOAD}
    return row


def write_table(path: Path, rows: Iterator[dict[str, Any]]) -> None:
    """Write rows to a .csv, .json or .parquet file, completely or not at all.

    Raises
    ------
    BadInputError
        When there is no row, the file cannot be written, or ``pyarrow`` is not installed.
    """
    first = next(rows, None)
    if first is None:
        raise BadInputError([Problem(str(path), 0, 0, "", "there is no finished point to export")])
    every = chain([first], rows)
    if path.suffix == ".parquet":
        write_atomic(path, _parquet(every))
        return
    write_atomic(path, _csv(first, every) if path.suffix == ".csv" else _json(every))


def _csv(first: dict[str, Any], rows: Iterable[dict[str, Any]]) -> str:
    text = io.StringIO()
    writer = csv.DictWriter(text, list(first), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()


def _json(rows: Iterable[dict[str, Any]]) -> str:
    return "[\n" + ",\n".join(json.dumps(row, ensure_ascii=False) for row in rows) + "\n]\n"


def _parquet(rows: Iterator[dict[str, Any]]) -> bytes:
    try:
        import pyarrow as arrow
        import pyarrow.parquet as parquet
    except ImportError:
        hint = "pip install 'ipusim[parquet]', or write a .csv file"
        raise BadInputError(
            [Problem("--export", 0, 0, "", "a .parquet file needs the package pyarrow", hint)]
        ) from None
    tables = []
    while part := list(islice(rows, 10_000)):
        tables.append(arrow.Table.from_pylist(part))
    content = io.BytesIO()
    parquet.write_table(arrow.concat_tables(tables, promote_options="permissive"), content)
    return content.getvalue()
