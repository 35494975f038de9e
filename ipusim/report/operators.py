"""The table of operators in a terminal report."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from rich.console import RenderableType
from rich.text import Text

from ipusim.report.canvas import HEADING, QUIET, columns, elided, heading, indented, sentence
from ipusim.report.numbers import format_bytes, format_count, format_joules, format_percent, format_scaled
from ipusim.report.plans import plan_line, update_line

_SHOWN = 12
_TERMS = 4
_SHORTEST_NAME = 8

Op = Mapping[str, Any]


class _Form(NamedTuple):
    """How closely the table is set."""

    gap: int
    rate_label: str
    rate_unit: str


_WIDE = _Form(2, "rate", "FLOP/s")
_CLOSE = _Form(1, "FLOP/s", "")


def operator_parts(result: Mapping[str, Any], every: bool = False, width: int = 80) -> list[RenderableType]:
    """Return the table of operators: cycles, share, rate and traffic of each, its plan and its largest terms.

    Long names lose their middle where there is no room for them in `width` columns.

    Unless `every` one is wanted, of many operators only the twelve that cost most are shown, in program order, and what
    the others cost together.
    """
    ops = result["ops"]
    total = result["cycles"] or 1
    hz = total / result["seconds"] if result["seconds"] else 0.0
    most = len(ops) if every else _SHOWN
    shown = sorted(sorted(range(len(ops)), key=lambda index: -ops[index]["cycles"])[:most])
    parts = [heading("Operators"), indented(_figures([ops[index] for index in shown], total, hz, width - 2))]
    if len(ops) > most:
        rest = sum(op["cycles"] for op in ops) - sum(ops[index]["cycles"] for index in shown)
        text = f"{len(ops) - most} further operators take {format_percent(rest / total)} of the cycles."
        parts.append(indented(sentence(text)))
    return [*parts, Text(""), indented(_details([ops[index] for index in shown], width // 3))]


def _figures(ops: list[Op], total: int, hz: float, width: int) -> RenderableType:
    names, kinds = (max(len(op[key]) for op in ops) for key in ("name", "op"))
    form = next((form for form in (_WIDE, _CLOSE) if names + kinds <= _room(ops, total, hz, width, form)), _CLOSE)
    room = _room(ops, total, hz, width, form)
    kinds = min(kinds, max(room // 3, _SHORTEST_NAME))
    names = max(room - kinds, _SHORTEST_NAME)
    labels = _labels(ops, form)
    table = columns("left", "left", *("right" for _ in labels))
    table.padding = (0, form.gap, 0, 0)
    table.add_row(*(Text(label, HEADING) for label in ("name", "op", *labels)))
    for op in ops:
        texts = _texts(op, total, hz, form)[: len(labels)]
        figures = (Text(_host(op) or "fused", QUIET),) if op.get("fused_into") else texts
        table.add_row(elided(op["name"], names), elided(op["op"], kinds), *figures)
    return table


def _host(op: Op) -> str:
    """Return in which operator another one is fused; nothing where the name is too long for the column of cycles."""
    words = f"in {op['fused_into']}"
    return words if len(words) <= _SHORTEST_NAME else ""


def _labels(ops: list[Op], form: _Form) -> tuple[str, ...]:
    energy = ("energy",) if any(op.get("energy_j") is not None for op in ops) else ()
    return ("cycles", "share", form.rate_label, "exchanged", "idle", *energy)


def _room(ops: list[Op], total: int, hz: float, width: int, form: _Form) -> int:
    """Return the columns that are left for name and kind of an operator."""
    labels = _labels(ops, form)
    rows = [labels, *(_texts(op, total, hz, form)[: len(labels)] for op in ops)]
    return width - sum(max(map(len, column)) for column in zip(*rows, strict=True)) - form.gap * (len(labels) + 1)


def _texts(op: Op, total: int, hz: float, form: _Form) -> tuple[str, ...]:
    rate = op["flops"] / op["cycles"] * hz if op["cycles"] and op["flops"] else None
    return (
        format_count(op["cycles"]),
        format_percent(op["cycles"] / total),
        format_scaled(rate, form.rate_unit),
        format_bytes(op["bytes_exchanged"]),
        format_percent(op.get("imbalance")),
        format_joules(op.get("energy_j")),
    )


def _details(ops: list[Op], most: int) -> RenderableType:
    table = columns("left", "left", "left")
    for op in ops:
        name = elided(op["name"], most)
        if op.get("fused_into") and not _host(op):
            table.add_row(Text(name, HEADING), "fused", Text(f"into {elided(op['fused_into'], most)}", QUIET))
            name = ""
        if op.get("plan"):
            table.add_row(Text(name, HEADING), "plan", Text(plan_line(op["plan"]), QUIET))
            name = ""
        terms = sorted((op.get("terms") or {}).items(), key=lambda item: -item[1])
        if terms and op["cycles"]:
            largest = (f"{label} {format_percent(cycles / op['cycles'])}" for label, cycles in terms[:_TERMS])
            table.add_row(Text(name, HEADING), "cycles", sentence(", ".join(largest), QUIET))
            name = ""
        steps = (op.get("plan") or {}).get("propagation_steps")
        if steps:
            spill = f"buckets overflow: {format_count(steps)} propagation steps, which a larger oversize may save"
            table.add_row(Text(name, HEADING), "spill", sentence(spill, QUIET))
            name = ""
        update = (op.get("plan") or {}).get("pattern_update")
        if update:
            cost = f"a new pattern costs {update_line(update)}, beside the cycles"
            table.add_row(Text(name, HEADING), "update", sentence(cost, QUIET))
    return table
