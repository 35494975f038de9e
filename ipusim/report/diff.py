"""What differs between two saved results: figures, operators or cells, plans, constants of the chip."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ipusim.report.compare_words import condition_text, density_text
from ipusim.report.numbers import format_percent
from ipusim.report.plans import plan_line
from ipusim.report.saved import COMPARISON

Document = Mapping[str, Any]

SCHEMA = "ipusim-diff-1"
FASTER, SLOWER, SAME, GONE, NEW = "faster", "slower", "same", "gone", "new"
_FIGURES = (
    "cycles",
    "seconds",
    "tflops",
    "fraction_of_peak",
    "energy_j",
    "power_w",
    "supersteps",
    "tiles_used",
    "idle_fraction",
)
_NAMED = 3


def diff_results(before: Document, after: Document) -> dict[str, Any]:
    """Return what differs between two results of the same kind, runs or comparisons.

    Returns
    -------
    dict
        ``schema``; ``before``, ``after``: what ran on what; ``figures``: rows of name and two values; ``parts``:
        operators (of comparisons: cells), those that changed most first, each with ``name, verdict, before, after``
        (cycles), ``change`` (cycles), ``ratio`` (after over before) and ``plans`` (both, where they differ);
        ``settings``: rows of name and two values of what was asked for, chip constants among them; ``summary``:
        sentences.
    """
    is_comparison = before["schema"] == COMPARISON
    parts = _parts(_cells(before), _cells(after)) if is_comparison else _parts(_ops(before), _ops(after))
    found = {
        "schema": SCHEMA,
        "kind": "cells" if is_comparison else "operators",
        "before": f"{before['workload']} on {before['chip']}",
        "after": f"{after['workload']} on {after['chip']}",
        "figures": [] if is_comparison else _figures(before, after),
        "parts": parts,
        "settings": list(_settings(before, after)),
    }
    return {**found, "summary": list(_summary(found))}


def _figures(before: Document, after: Document) -> list[list[Any]]:
    rows = [[name, before.get(name), after.get(name)] for name in _FIGURES]
    for phase in before["cycles_by_phase"]:
        rows.append([f"{phase} cycles", before["cycles_by_phase"][phase], after["cycles_by_phase"].get(phase)])
    rows.append(["max_tile_bytes", before["memory"]["max_tile_bytes"], after["memory"]["max_tile_bytes"]])
    return [row for row in rows if row[1] is not None or row[2] is not None]


def _ops(result: Document) -> dict[str, tuple[int | None, str]]:
    return {op["name"]: (op["cycles"], plan_line(op["plan"]) if op.get("plan") else "") for op in result["ops"]}


def _cells(document: Document) -> dict[str, tuple[int | None, str]]:
    cells = (*document["baselines"], *document["cells"])
    return {_cell_name(cell): (cell["cycles"], cell["plan"]) for cell in cells}


def _cell_name(cell: Document) -> str:
    sparse = f", block size {cell['block_size']}, density {density_text(cell['density'])}"
    return f"{condition_text(cell)}, {cell['mode']}{'' if cell['mode'] == 'dense' else sparse}"


def _parts(
    before: Mapping[str, tuple[int | None, str]], after: Mapping[str, tuple[int | None, str]]
) -> list[dict[str, Any]]:
    parts = []
    for name in dict.fromkeys((*before, *after)):
        (old, old_plan), (new, new_plan) = before.get(name, (None, "")), after.get(name, (None, ""))
        known = old is not None and new is not None
        parts.append(
            {
                "name": name,
                "verdict": _verdict(old, new),
                "before": old,
                "after": new,
                "change": (new or 0) - (old or 0),
                "ratio": new / old if known and old and new is not None else None,
                "plans": [old_plan, new_plan] if old_plan != new_plan else None,
            }
        )
    return sorted(parts, key=lambda part: -abs(part["change"]))


def _verdict(old: int | None, new: int | None) -> str:
    if old is None:
        return SAME if new is None else NEW
    if new is None:
        return GONE
    return SAME if new == old else FASTER if new < old else SLOWER


def _settings(before: Document, after: Document) -> Iterator[list[Any]]:
    for name in ("workload", "chip", "seed", "options", "versions", "constants"):
        if name in before and name in after:
            yield from differences(name, before[name], after[name])


def differences(path: str, old: Any, new: Any) -> Iterator[list[Any]]:
    """Yield path, old and new value of everything that differs inside of two plain values."""
    if isinstance(old, Mapping) and isinstance(new, Mapping):
        for key in dict.fromkeys((*old, *new)):
            yield from differences(f"{path}.{key}", old.get(key), new.get(key))
    elif _is_list(old) and _is_list(new) and len(old) == len(new):
        for index, (first, second) in enumerate(zip(old, new, strict=True)):
            yield from differences(f"{path}[{index}]", first, second)
    elif old != new:
        yield [path, old, new]


def _is_list(value: Any) -> bool:
    return isinstance(value, Sequence) and not isinstance(value, str)


def _summary(found: Document) -> Iterator[str]:
    cycles = next((row for row in found["figures"] if row[0] == "cycles"), None)
    if cycles and cycles[1] and cycles[2]:
        share = format_percent(abs(cycles[2] / cycles[1] - 1))
        words = "as many" if cycles[1] == cycles[2] else f"{share} {'fewer' if cycles[2] < cycles[1] else 'more'}"
        yield f"The second takes {words} cycles."
    for verdict in (FASTER, SLOWER):
        mine = [part for part in found["parts"] if part["verdict"] == verdict]
        if mine:
            named = ", ".join(f"{part['name']} ({part['change']:+,} cycles)" for part in mine[:_NAMED])
            further = f" and {len(mine) - _NAMED} more" if len(mine) > _NAMED else ""
            yield f"{verdict.capitalize()}: {named}{further}."
    for verdict, words in ((GONE, "Only in the first"), (NEW, "Only in the second")):
        mine = [part["name"] for part in found["parts"] if part["verdict"] == verdict]
        if mine:
            further = f" and {len(mine) - _NAMED} more" if len(mine) > _NAMED else ""
            yield f"{words}: {', '.join(mine[:_NAMED])}{further}."
    changed = sum(part["plans"] is not None for part in found["parts"])
    constants = sum(row[0].startswith("constants.") for row in found["settings"])
    others = f"{constants} constant{'' if constants == 1 else 's'} of the chip"
    yield f"{changed} of {len(found['parts'])} plans differ, and {others}."
