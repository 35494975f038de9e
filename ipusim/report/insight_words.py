"""What a result means, in sentences."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ipusim.report.layers import without_layer_number
from ipusim.report.numbers import format_bytes, format_percent

Result = Mapping[str, Any]

_NARROW = 0.9
_UNEVEN = 0.1


def relaxation_sentence(result: Result) -> str:
    """Return what would change if one resource after the other were relaxed; empty where nothing was tried."""
    insights = sorted(result.get("insights") or (), key=lambda item: item["relative"])
    if not insights:
        return ""
    first, *others = insights
    text = f"With {first['change']} it would take {_change(first['relative'])} cycles"
    text += "".join(f"; with {item['change']}, {_change(item['relative'])}" for item in others)
    return f"{text}."


def insight_sentences(result: Result) -> list[str]:
    """Return what stands out in a result that fits its chip."""
    return [sentence for sentence in (*_observations(result), relaxation_sentence(result)) if sentence]


def _observations(result: Result) -> Iterator[str]:
    ops, cycles = result["ops"], result["cycles"]
    if not ops or not cycles:
        return
    yield _costliest(ops, cycles)
    idle = result.get("idle_fraction") or 0.0
    if idle > _UNEVEN:
        yield f"The work is uneven: the mean tile waits for {format_percent(idle)} of the compute phases."
    memory = result["memory"]
    share = memory["max_tile_bytes"] / memory["tile_sram_bytes"]
    if share > _NARROW:
        room = memory["tile_sram_bytes"] - memory["max_tile_bytes"]
        yield f"Memory is tight: tile {memory['worst_tile']} has {format_bytes(room)} left at its peak."


def _costliest(ops: Sequence[Mapping[str, Any]], cycles: int) -> str:
    """Return what takes most of the cycles: an operator, or those of all layers that have the same place in them."""
    together: dict[tuple[str, str], list[Mapping[str, Any]]] = {}
    for op in ops:
        together.setdefault((without_layer_number(op["name"]), op["op"]), []).append(op)
    (name, kind), found = max(together.items(), key=lambda item: sum(op["cycles"] or 0 for op in item[1]))
    taken = sum(op["cycles"] or 0 for op in found)
    if len(found) == 1:
        text = f"{found[0]['name']} ({kind}) takes {format_percent(taken / cycles)} of the cycles"
    else:
        text = f"{name} ({len(found)} times {kind}) take {format_percent(taken / cycles)} of the cycles"
    terms: dict[str, int] = {}
    for label, part in (item for op in found for item in (op.get("terms") or {}).items()):
        terms[label] = terms.get(label, 0) + part
    if terms and taken:
        label, part = max(terms.items(), key=lambda item: item[1])
        text += f", {'its' if len(found) == 1 else 'their'} largest part, {format_percent(part / taken)}, is {label}"
    return f"{text}."


def _change(relative: float) -> str:
    if abs(relative) < 0.0005:
        return "as many"
    return f"{format_percent(abs(relative))} {'fewer' if relative < 0 else 'more'}"
