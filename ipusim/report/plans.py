"""Plans: one in a line, and the table of what the planner chose from."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from rich.console import RenderableType
from rich.text import Text

from ipusim.report.canvas import GOOD, HEADING, QUIET, columns, draw, indented
from ipusim.report.numbers import format_bytes, format_count, format_percent, format_seconds

Plan = Mapping[str, Any]

_CUTS = ("partition", "serial")
_ELSEWHERE = (
    *("strategy", "vertex", "tiles_used", "estimated_cycles", "estimated_terms"),
    *("temporary_bytes", "memory_bound_bytes", "relaxed", "runners_up", "pattern_update"),
)


def plan_line(plan: Plan) -> str:
    """Return a plan in one line: ``dense, p_m 23, p_n 64, amp_1x1, units 16``.

    Cuts into one part, and what is false or empty, are left out; costs are not part of the line.
    """
    words = [str(plan["strategy"])] if plan.get("strategy") else []
    words += [cut for cut in (_cut(plan.get(name)) for name in _CUTS) if cut]
    words += [str(plan["vertex"])] if plan.get("vertex") else []
    words += [_detail(name, value) for name, value in plan.items() if name not in (*_CUTS, *_ELSEWHERE) and value]
    return ", ".join(words)


def update_line(update: Plan) -> str:
    """Return what a new pattern of a dynamic tensor costs: ``105 ms on the host, 6.05 MiB in 98.7 us to the chip``.

    Parameters
    ----------
    update : Mapping
        ``host_s``, ``upload_bytes`` and ``upload_s`` (None where the chip has no link to a host).
    """
    upload = update["upload_s"]
    taken = f"in {format_seconds(upload)} to the chip" if upload is not None else "to a chip without a host link"
    return f"{format_seconds(update['host_s'])} on the host, {format_bytes(update['upload_bytes'])} {taken}"


def render_plans(plans: Iterable[tuple[str, Plan]], width: int = 80, colour: bool = False) -> str:
    """Return for each operator its plan, the runners-up, and what each would cost by term.

    Parameters
    ----------
    plans : iterable of (str, Mapping)
        Name of the operator, and its plan as ``to_dict()`` gives it.
    width : int
        Columns of the terminal.
    colour : bool
        Whether to use colours and styles.
    """
    parts: list[RenderableType] = []
    for name, plan in plans:
        parts += [Text("")] if parts else []
        parts += _plan(name, plan)
    return draw(parts, width, colour)


def _plan(name: str, plan: Plan) -> list[RenderableType]:
    head = Text.assemble((name, "bold cyan"), f"  {plan_line(plan)}")
    if "estimated_cycles" not in plan:
        return [head]
    candidates = [plan, *plan.get("runners_up", ())]
    update = plan.get("pattern_update")
    bound = plan.get("memory_bound_bytes")
    parts = [head, indented(_candidates(candidates)), Text(""), indented(_terms(candidates))]
    if bound is not None:
        note = "raised: no plan met available_memory_proportion" if plan.get("relaxed") else "temporary data of a tile"
        parts.append(indented(Text(f"memory bound {format_bytes(bound)} ({note})", QUIET)))
    if update:
        parts.append(indented(Text(f"a new pattern: {update_line(update)}", QUIET)))
    return parts


def _candidates(plans: list[Plan]) -> RenderableType:
    table = columns("left", "left", "right", "right", "right")
    table.add_row(*(Text(title, HEADING) for title in ("#", "cut", "tiles", "temporary", "cycles")))
    for index, plan in enumerate(plans):
        cut = "; ".join(text for text in (_cut(plan.get(name)) for name in _CUTS) if text) or "one tile"
        details = ", ".join(_detail(key, plan[key]) for key in ("units", "swapped") if plan.get(key))
        table.add_row(
            Text(str(index + 1), GOOD if index == 0 else ""),
            f"{cut}; {details}" if details else cut,
            format_count(plan.get("tiles_used")),
            format_bytes(plan.get("temporary_bytes")),
            format_count(plan["estimated_cycles"]),
        )
    return table


def _terms(plans: list[Plan]) -> RenderableType:
    names = dict.fromkeys(name for plan in plans for name in plan.get("estimated_terms", ()))
    table = columns("left", *("right" for _ in plans))
    table.add_row(*(Text(title, HEADING) for title in ("cycles", *(f"#{index + 1}" for index in range(len(plans))))))
    for name in names:
        cycles = [plan["estimated_terms"].get(name, 0) for plan in plans]
        share = Text(f" {format_percent(cycles[0] / max(plans[0]['estimated_cycles'], 1))}", QUIET)
        table.add_row(Text(name) + share, *(format_count(each) for each in cycles))
    return table


def _cut(parts: Mapping[str, int] | None) -> str:
    return ", ".join(f"{name} {count:,}" for name, count in (parts or {}).items() if count != 1)


def _detail(name: str, value: Any) -> str:
    if value is True:
        return name.replace("_", " ")
    if isinstance(value, Mapping):
        value = "x".join(str(item) for item in value.values())
    elif isinstance(value, (list, tuple)):
        value = "x".join(str(item) for item in value)
    elif isinstance(value, float):
        value = f"{value:.4g}"
    return f"{name} {value}"
