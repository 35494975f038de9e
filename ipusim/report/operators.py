"""The table of operators in a terminal report."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rich.console import RenderableType
from rich.text import Text

from ipusim.report.canvas import HEADING, QUIET, columns, heading, indented, sentence
from ipusim.report.numbers import format_bytes, format_count, format_joules, format_percent, format_scaled
from ipusim.report.plans import plan_line, update_line

_SHOWN = 12
_TERMS = 4


def operator_parts(result: Mapping[str, Any], every: bool = False) -> list[RenderableType]:
    """Return the table of operators: cycles, share, rate and traffic of each, its plan and its largest terms.

    Unless `every` one is wanted, of many operators only the twelve that cost most are shown, in program order, and what
    the others cost together.
    """
    ops = result["ops"]
    total = result["cycles"] or 1
    hz = total / result["seconds"] if result["seconds"] else 0.0
    most = len(ops) if every else _SHOWN
    shown = sorted(sorted(range(len(ops)), key=lambda index: -ops[index]["cycles"])[:most])
    parts = [heading("Operators"), indented(_figures([ops[index] for index in shown], total, hz))]
    if len(ops) > most:
        rest = sum(op["cycles"] for op in ops) - sum(ops[index]["cycles"] for index in shown)
        text = f"{len(ops) - most} further operators take {format_percent(rest / total)} of the cycles."
        parts.append(indented(sentence(text)))
    return [*parts, Text(""), indented(_details([ops[index] for index in shown]))]


def _figures(ops: list[Mapping[str, Any]], total: int, hz: float) -> RenderableType:
    with_energy = any(op.get("energy_j") is not None for op in ops)
    labels = ["name", "op", "cycles", "share", "rate", "exchanged", "idle"] + (["energy"] if with_energy else [])
    table = columns("left", "left", *("right" for _ in labels[2:]))
    table.add_row(*(Text(label, HEADING) for label in labels))
    for op in ops:
        rate = op["flops"] / op["cycles"] * hz if op["cycles"] and op["flops"] else None
        if op.get("fused_into"):
            table.add_row(op["name"], op["op"], Text(f"in {op['fused_into']}", QUIET))
            continue
        table.add_row(
            op["name"],
            op["op"],
            format_count(op["cycles"]),
            format_percent(op["cycles"] / total),
            format_scaled(rate, "FLOP/s"),
            format_bytes(op["bytes_exchanged"]),
            format_percent(op.get("imbalance")),
            *([format_joules(op.get("energy_j"))] if with_energy else []),
        )
    return table


def _details(ops: list[Mapping[str, Any]]) -> RenderableType:
    table = columns("left", "left", "left")
    for op in ops:
        name = op["name"]
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
