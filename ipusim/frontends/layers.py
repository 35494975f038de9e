"""``layers`` of a workload file: settings for all weights and ops whose names match a pattern."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from typing import Any

from pydantic import BaseModel

from ipusim.errors import Problem
from ipusim.files.document import Document, Mark
from ipusim.files.validate import validate
from ipusim.files.wording import Path, did_you_mean, join_words
from ipusim.frontends.casts import with_casts
from ipusim.frontends.entries import LayerEntry
from ipusim.ops.registry import find_op, op_names

_SPARSITY = ("density", "block_size", "mode", "pattern", "oversize")
_LISTED = 8


class _Layers(BaseModel):
    layers: dict[str, LayerEntry]


@dataclass(slots=True)
class _Settings:
    """What the patterns say, by tensor and op; of several patterns the last one counts.

    `places` has where in the document each changed value was written.
    """

    tensors: dict[str, dict[str, Any]]
    ops: list[dict[str, Any]]
    formats: dict[str, str]
    places: dict[Path, Path]


def read_layers(document: Document) -> dict[str, LayerEntry]:
    """Return the ``layers`` of a document by pattern.

    Raises
    ------
    BadInputError
        With every key that is unknown or has a value of the wrong kind.
    """
    if "layers" not in document.data:
        return {}
    own = {path: mark for path, mark in document.marks.items() if path[:1] in ((), ("layers",))}
    return validate(Document(document.name, {"layers": document.data["layers"]}, own), _Layers).layers


def apply_layers(
    document: Document, entries: Mapping[str, LayerEntry], weights: frozenset[str] | None
) -> tuple[Document, tuple[Problem, ...]]:
    """Return `document` with its ``layers`` worked into ``tensors`` and ``ops``, and what is wrong with them.

    Parameters
    ----------
    document : Document
        With ``layers``. If some tensor or op of it is unsound, the others stay as they are, too.
    entries : Mapping
        The layers by pattern, see :func:`read_layers`.
    weights : frozenset of str or None
        The tensors that may become sparse or move to DRAM; all for None.
    """
    rest = {key: value for key, value in document.data.items() if key != "layers"}
    tensors: Any = rest.get("tensors")
    ops: Any = rest.get("ops")
    if not _is_sound(tensors, ops):
        return replace(document, data=rest), ()
    found = _Settings({name: dict(entry) for name, entry in tensors.items()}, [dict(op) for op in ops], {}, {})
    allowed = frozenset(tensors) if weights is None else weights
    problems = [
        problem
        for pattern, entry in entries.items()
        for problem in _apply(document, found, pattern, entry.model_dump(exclude_unset=True), allowed)
    ]
    if problems:
        return replace(document, data=rest), tuple(problems)
    marks = _marks(document, found)
    changed = replace(document, data={**rest, "tensors": found.tensors, "ops": found.ops}, marks=marks)
    return with_casts(changed, found.formats), ()


def _is_sound(tensors: object, ops: object) -> bool:
    """Return whether every tensor and op is an entry with a name, so that patterns can be applied."""
    if not isinstance(tensors, Mapping) or not isinstance(ops, list):
        return False
    if not all(isinstance(entry, Mapping) for entry in tensors.values()):
        return False
    return all(
        isinstance(op, Mapping)
        and isinstance(op.get("output"), str)
        and isinstance(op.get("op"), str)
        and isinstance(op.get("inputs"), (list, tuple))
        and all(isinstance(name, str) for name in op["inputs"])
        for op in ops
    )


def _matches(name: str, pattern: str) -> bool:
    """Return whether a pattern, whose ``*`` also stands for dots, has a name or a part of the network around it."""
    return fnmatchcase(name, pattern) or fnmatchcase(name, f"{pattern}.*")


def _name(op: Mapping[str, Any]) -> str:
    return str(op.get("name", op["output"]))


def _apply(
    document: Document, found: _Settings, pattern: str, given: Mapping[str, Any], allowed: frozenset[str]
) -> Iterable[Problem]:
    """Enter what one pattern says into `found`; yield what is wrong with it."""
    where = ("layers", pattern)
    tensors = [name for name in found.tensors if _matches(name, pattern)]
    ops = [position for position, op in enumerate(found.ops) if _matches(_name(op), pattern)]
    if not tensors and not ops:
        names = {*found.tensors, *map(_name, found.ops)}
        yield document.problem(where, "no weight or op has such a name", _nearest(pattern, names), at_key=True)
        return
    weights = [name for name in tensors if name in allowed]
    sparse = {key: given[key] for key in _SPARSITY if key in given}
    if sparse:
        chosen = [name for name in weights if _can_be_sparse(found, name)]
        for name in chosen:
            found.tensors[name]["sparsity"] = {**(found.tensors[name].get("sparsity") or {}), **sparse}
            found.places["tensors", name, "sparsity"] = where
            found.places |= {("tensors", name, "sparsity", key): (*where, key) for key in sparse}
        if not chosen:
            hint = "a sparse weight has two dimensions, and only matmuls read it"
            yield document.problem((*where, next(iter(sparse))), "no weight of such a name can be sparse", hint)
    if "memory" in given:
        for name in weights:
            found.tensors[name]["memory"] = given["memory"]
            found.places["tensors", name, "memory"] = (*where, "memory")
        if not weights:
            yield document.problem((*where, "memory"), "no weight has such a name")
    if "partials" in given:
        chosen_ops = [position for position in ops if _has_partials(found.ops[position])]
        for position in chosen_ops:
            found.ops[position]["partials"] = given["partials"]
            found.places["ops", position, "partials"] = (*where, "partials")
        if not chosen_ops:
            yield document.problem((*where, "partials"), "no op of such a name has partials")
    if "dtype" in given:
        found.formats |= dict.fromkeys([*tensors, *(_name(found.ops[position]) for position in ops)], given["dtype"])
        found.places |= {("tensors", name, "dtype"): (*where, "dtype") for name in tensors}


def _can_be_sparse(found: _Settings, name: str) -> bool:
    """Return whether all ops that read a tensor take it sparse, and there is one."""
    reads = [(op["op"], index) for op in found.ops for index, each in enumerate(op["inputs"]) if each == name]
    return bool(reads) and all(kind in op_names() and index in find_op(kind).sparse_inputs for kind, index in reads)


def _has_partials(op: Mapping[str, Any]) -> bool:
    return op["op"] in op_names() and any(each.name == "partials" for each in find_op(op["op"]).attributes)


def _nearest(pattern: str, names: Iterable[str]) -> str:
    """Return a suggestion made of the names, with wildcards where they count and where they go on, or what there is."""
    counted = {re.sub(r"(?<![^.])\d+(?![^.])", "*", name) for name in names}
    parts = [name.split(".") for name in counted]
    groups = {".".join([*each[:length], "*"]) for each in parts for length in range(1, len(each))}
    if pattern.startswith("*"):
        groups |= {f"*{part}*" if pattern.endswith("*") else f"*.{part}" for each in parts for part in each}
    return did_you_mean(pattern, sorted(counted | groups)) or _overview(parts)


def _overview(parts: Iterable[list[str]]) -> str:
    """Return which parts of the network there are, those of numbered layers by themselves."""
    found = sorted({".".join(each[: 3 if each[1:2] == ["*"] else 1]) for each in parts})
    if len(found) > _LISTED:
        return f"names are such as {join_words(found[:_LISTED], 'and')}"
    return f"there are {join_words(found, 'and')}"


def _marks(document: Document, found: _Settings) -> dict[Path, Mark]:
    """Return the marks of a document with those of the settings at the values that they changed."""
    marks = dict(document.marks)
    for path, place in found.places.items():
        if place in document.marks:
            marks[path] = document.marks[place]
    return marks
