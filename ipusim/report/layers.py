"""The operators of a network by layer: what each layer costs, with identical layers in one row.

Names of operators are words with dots between them. The layer of an operator is the first word, and the second too
where that is a number (``layers.3``) or both end in one (``stage1.block2``).
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import RenderableType
from rich.text import Text

from ipusim.report.canvas import HEADING, QUIET, columns, heading, indented, sentence
from ipusim.report.numbers import format_bytes, format_count, format_joules, format_percent, format_scaled

Op = Mapping[str, Any]
Row = dict[str, Any]

_FEWEST_OPS = 12
"""Programs of no more operators are shown operator by operator."""
_MOST_ROWS = 30
_PARTS_FROM = 0.2
"""Share of the cycles from which on the parts of a layer are shown, too."""
_SUMS = ("cycles", "flops", "bytes_exchanged", "energy_j")
_NUMBER = re.compile(r"\d+$")
_LAYER_NUMBER = re.compile(r"\.\d+\.")


def layer_rows(ops: Sequence[Op]) -> list[Row]:
    """Return the layers of a network in program order.

    Parameters
    ----------
    ops : sequence of Mapping
        ``ops`` of a result document.

    Returns
    -------
    list of dict
        ``name``; ``times`` (how many identical layers the row stands for); ``ops`` (operators of each); ``cycles``,
        ``flops``, ``bytes_exchanged``, ``energy_j`` of all of them together, None where an operator has none;
        ``parts``: the same by the next word of the names, where there are several. Layers are identical if their
        operators, in order, have the same names within the layer, kinds and operations. Empty unless there are layers
        of several operators.
    """
    members: dict[str, list[Op]] = {}
    for op in ops:
        members.setdefault(layer_of(op["name"]), []).append(op)
    if len(members) == len(ops):
        return []
    runs: list[list[str]] = []
    for name in members:
        if runs and _follows(runs[-1][-1], name) and _form(runs[-1][-1], members) == _form(name, members):
            runs[-1].append(name)
        else:
            runs.append([name])
    return [_row(names, [members[name] for name in names]) for names in runs]


def layer_of(name: str) -> str:
    """Return the layer that an operator belongs to, from its name."""
    words = name.split(".")
    if len(words) > 1 and (words[1].isdecimal() or (_NUMBER.search(words[0]) and _NUMBER.search(words[1]))):
        return ".".join(words[:2])
    return words[0]


def without_layer_number(name: str) -> str:
    """Return a name with a star for the number of its layer, where that is a word of its own."""
    return _LAYER_NUMBER.sub(".*.", name)


def _follows(one: str, other: str) -> bool:
    """Return whether two names differ in the number at their end alone, which is one more in the other."""
    a, b = _NUMBER.search(one), _NUMBER.search(other)
    return bool(a and b and one[: a.start()] == other[: b.start()] and int(b.group()) == int(a.group()) + 1)


def _form(layer: str, members: Mapping[str, list[Op]]) -> list[tuple[str, str, int]]:
    return [(op["name"].removeprefix(layer), op["op"], op["flops"]) for op in members[layer]]


def _row(names: Sequence[str], layers: Sequence[Sequence[Op]]) -> Row:
    first, last = names[0], _NUMBER.search(names[-1])
    every = [op for layer in layers for op in layer]
    parts: dict[str, list[Op]] = {}
    for name, layer in zip(names, layers, strict=True):
        for op in layer:
            parts.setdefault(op["name"].removeprefix(name).lstrip(".").split(".")[0], []).append(op)
    return {
        "name": f"{first}-{last.group()}" if last and len(names) > 1 else first,
        "times": len(names),
        "ops": len(layers[0]),
        **_sums(every),
        "parts": [{"name": name, **_sums(found)} for name, found in parts.items()] if len(parts) > 1 else [],
    }


def _sums(ops: Sequence[Op]) -> Row:
    return {key: None if any(op.get(key) is None for op in ops) else sum(op[key] for op in ops) for key in _SUMS}


def shows_layers(result: Mapping[str, Any]) -> bool:
    """Return whether a result is better read layer by layer than operator by operator."""
    ops, layers = result["ops"], result.get("layers") or ()
    return len(ops) > _FEWEST_OPS and 0 < 2 * len(layers) <= len(ops)


def layer_parts(result: Mapping[str, Any]) -> list[RenderableType]:
    """Return the table of layers: cycles, share, rate, traffic and energy of each, and of the parts of costly ones."""
    total = result["cycles"] or 1
    hz = total / result["seconds"] if result["seconds"] else 0.0
    layers = result["layers"]
    with_energy = any(row["energy_j"] is not None for row in layers)
    labels = ["name", "times", "cycles", "share", "rate", "exchanged"] + (["energy"] if with_energy else [])
    table = columns("left", *("right" for _ in labels[1:]))
    table.add_row(*(Text(label, HEADING) for label in labels))
    costliest = sorted(range(len(layers)), key=lambda index: -layers[index]["cycles"])[:_MOST_ROWS]
    for index in sorted(costliest):
        row = layers[index]
        table.add_row(row["name"], format_count(row["times"]), *_figures(row, total, hz, with_energy))
        if row["cycles"] >= _PARTS_FROM * total:
            for part in row["parts"]:
                figures = (Text(figure, QUIET) for figure in _figures(part, total, hz, with_energy))
                table.add_row(Text(f"  {part['name'] or '(itself)'}", QUIET), "", *figures)
    parts = [heading("Layers", "identical ones together"), indented(table)]
    words = []
    if len(layers) > _MOST_ROWS:
        rest = sum(row["cycles"] for row in layers) - sum(layers[index]["cycles"] for index in costliest)
        words.append(f"{len(layers) - _MOST_ROWS} further layers take {format_percent(rest / total)} of the cycles.")
    words.append(f"--ops all shows the {format_count(len(result['ops']))} operators one by one.")
    return [*parts, indented(sentence(" ".join(words), QUIET))]


def _figures(row: Row, total: int, hz: float, with_energy: bool) -> tuple[str, ...]:
    rate = row["flops"] / row["cycles"] * hz if row["cycles"] and row["flops"] else None
    figures = (
        format_count(row["cycles"]),
        format_percent(row["cycles"] / total),
        format_scaled(rate, "FLOP/s"),
        format_bytes(row["bytes_exchanged"]),
    )
    return (*figures, format_joules(row["energy_j"])) if with_energy else figures
