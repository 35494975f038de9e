"""Casts where the formats that a workload asks for meet others."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from ipusim.files.document import Document
from ipusim.files.wording import Path
from ipusim.formats import WHOLE_NUMBERS
from ipusim.formats.scale import AUTO
from ipusim.frontends.precision import PRODUCTS
from ipusim.ops.spec import computed_format, is_quarter

_CHOSEN = {"cast": "float16", "one_hot": "float16"}
"""Ops whose attribute ``to`` names the format of their result, with its default."""

_INDICES = ("argmax", "argmin")
"""Ops whose results are whole numbers."""


def with_casts(document: Document, formats: Mapping[str, str]) -> Document:
    """Return a document whose named weights and ops have other number formats.

    An input changes its format with the ops that read it, where they agree and none is asked for by its name. Formats
    of 8 bits concern products and convolutions alone, and the inputs that nothing else reads. Anywhere else that a
    tensor has another format than the op that reads it, a cast is inserted; one for all that read it so.

    Parameters
    ----------
    document : Document
        With sound ``tensors`` and ``ops``.
    formats : Mapping
        Number format by name of a tensor or op.
    """
    if not formats:
        return document
    default = str(document.data.get("dtype", "float16"))
    tensors = {name: dict(entry) for name, entry in document.data["tensors"].items()}
    ops: list[dict[str, Any]] = document.data["ops"]
    written = _written_formats(tensors, ops, default)
    wanted = [_wanted(op, formats, written[position]) for position, op in enumerate(ops)]
    for name, entry in tensors.items():
        asked = formats.get(name, "")
        chosen = asked if asked and not is_quarter(asked) else _of_readers(name, ops, wanted)
        if chosen and entry.get("dtype", default) not in (chosen, WHOLE_NUMBERS):
            entry["dtype"] = chosen
            if is_quarter(chosen):
                entry.setdefault("scale", AUTO)
    now = {name: str(entry.get("dtype", default)) for name, entry in tensors.items()}
    result: list[dict[str, Any]] = []
    positions: dict[int, int] = {}
    for position, op in enumerate(ops):
        changed = dict(op)
        if op["op"] != "cast":
            changed["inputs"] = [_in_format(name, wanted[position], now, result) for name in op["inputs"]]
            if wanted[position] == "float32" != written[position] and changed.get("partials") == "float16":
                changed["partials"] = "float32"
        now[op["output"]] = _result_format(changed, now, computed_format(wanted[position]))
        positions[position] = len(result)
        result.append(changed)
    return _moved(replace(document, data={**document.data, "tensors": tensors, "ops": result}), positions)


def _written_formats(
    tensors: Mapping[str, Mapping[str, Any]], ops: list[dict[str, Any]], default: str
) -> tuple[str, ...]:
    """Return the format that each op computes in as the file has it: that of its first operand with fractions."""
    known = {name: str(entry.get("dtype", default)) for name, entry in tensors.items()}
    found = []
    for op in ops:
        operands = [known.get(name, default) for name in op["inputs"]]
        found.append(next((each for each in operands if each != WHOLE_NUMBERS), default))
        known[op["output"]] = _result_format(op, known, found[-1])
    return tuple(found)


def _result_format(op: Mapping[str, Any], known: Mapping[str, str], computed: str) -> str:
    """Return the format of the result of an op that computes in a format: int32 of indices, and of moved ones.

    Parameters
    ----------
    op : Mapping
        Its kind may be unknown.
    known : Mapping
        Format by name of a tensor.
    computed : str
        What the op computes in.
    """
    kind = op["op"]
    if kind in _CHOSEN:
        return str(op.get("to", _CHOSEN[kind]))
    if kind in _INDICES or (kind == "top_k" and op.get("result") == "indices"):
        return WHOLE_NUMBERS
    only_moves = {known.get(name) for name in op["inputs"]} == {WHOLE_NUMBERS}
    return WHOLE_NUMBERS if only_moves else computed


def _wanted(op: Mapping[str, Any], formats: Mapping[str, str], written: str) -> str:
    """Return the format that an op computes in; of those of 8 bits only products and convolutions can."""
    asked = formats.get(str(op.get("name", op["output"])), written)
    return asked if op["op"] in PRODUCTS or asked == written else computed_format(asked)


def _of_readers(name: str, ops: list[dict[str, Any]], wanted: list[str]) -> str:
    """Return the format that all ops that read a tensor compute in; empty where they differ."""
    found = {wanted[position] for position, op in enumerate(ops) if op["op"] != "cast" and name in op["inputs"]}
    return found.pop() if len(found) == 1 else ""


def _in_format(name: str, wanted: str, now: dict[str, str], result: list[dict[str, Any]]) -> str:
    """Return the name of a tensor in a format, adding the cast to `result` where none is there yet."""
    if now.get(name, wanted) in (wanted, WHOLE_NUMBERS):
        return name
    cast = f"{name}.{wanted}"
    if cast not in now:
        now[cast] = wanted
        scale = {"scale": AUTO} if is_quarter(wanted) else {}
        result.append({"op": "cast", "inputs": [name], "output": cast, "to": wanted, **scale})
    return cast


def _moved(document: Document, positions: Mapping[int, int]) -> Document:
    """Return a document whose ops were moved to other positions, with marks and labels at the new ones."""
    old = {new: position for position, new in positions.items()}
    labels: dict[Path, str] = {}
    for position, op in enumerate(document.data["ops"]):
        written = old.get(position)
        own = str(op["output"]) if written is None else str(written)
        labels["ops", position] = own if written is None else document.labels.get(("ops", written), own)
    marks = {}
    for path, mark in document.marks.items():
        is_op = len(path) > 1 and path[0] == "ops" and isinstance(path[1], int)
        marks[(path[0], positions[int(path[1])], *path[2:]) if is_op else path] = mark
    return replace(document, marks=marks, labels=labels)
