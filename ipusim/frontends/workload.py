"""Reads workload files."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

from ipusim.errors import BadInputError, Problem
from ipusim.files.document import Document, load_document
from ipusim.files.overrides import override
from ipusim.files.packaged import find_file
from ipusim.frontends.build import draft_graph
from ipusim.frontends.draft import UNREADABLE, Draft, in_file_order
from ipusim.frontends.entries import OpEntry
from ipusim.frontends.generate import expand_document, spelled_out
from ipusim.frontends.model import Workload, read_workload
from ipusim.frontends.single_files import is_single_file, single_file_document

__all__ = ["Workload", "load_workload"]


def load_workload(source: str | Path | Mapping[str, Any] | Workload, settings: Sequence[str] = ()) -> Workload:
    """Return the workload in a file or dict.

    Parameters
    ----------
    source : str, Path, Mapping or Workload
        A packaged name such as ``quickstart``, the path of a YAML file, or its content; also the path of a model that
        needs no more: an ONNX file (``.onnx``) or a SCALE-Sim topology (``.csv``).
    settings : sequence of str
        Overrides such as ``ops.0.partials=float16``.

    Raises
    ------
    BadInputError
        With every problem of the file. Where its structure is sound, what does not fit together is found by
        :func:`~ipusim.frontends.build.build_graph`; where it is not, that is looked for here in the sound parts, so
        that all problems come at once.
    """
    if isinstance(source, Workload):
        if not settings:
            return source
        document, folder = source.source, source.folder
    elif isinstance(source, Mapping):
        document, folder = load_document(source), Path()
    else:
        path = find_file("workloads", source)
        document, folder = single_file_document(path) if is_single_file(path) else load_document(path), path.parent
    if settings:
        document = override(spelled_out(document), settings)
    try:
        return read_workload(document, folder)
    except BadInputError as error:
        expanded, found = expand_document(spelled_out(document), folder)
        further = () if found else _problems_of_sound_parts(expanded, folder, error.problems)
        raise BadInputError(in_file_order((*error.problems, *further))) from None


def _problems_of_sound_parts(document: Document, folder: Path, known: Sequence[Problem]) -> Sequence[Problem]:
    """Return what else is wrong with a document, of which `known` problems make parts unreadable.

    The parts with problems are taken out, and a draft of the graph is made of the rest.
    """
    tensors, ops = document.data.get("tensors"), document.data.get("ops")
    if not isinstance(tensors, Mapping) or not isinstance(ops, Sequence) or isinstance(ops, str):
        return ()
    paths = {problem.path for problem in known}

    @cache
    def is_broken(*path: str | int) -> bool:
        prefix = document.problem(path, "").path
        return any(each == prefix or each.startswith(f"{prefix}.") for each in paths)

    broken_tensors = frozenset(name for name in tensors if is_broken("tensors") and is_broken("tensors", name))
    broken_ops = frozenset(position for position in range(len(ops)) if is_broken("ops") and is_broken("ops", position))
    results = (ops[position].get("output") for position in broken_ops if isinstance(ops[position], Mapping))
    rest = {key: value for key, value in document.data.items() if not is_broken(key) or key in ("tensors", "ops")}
    rest["tensors"] = {name: value for name, value in tensors.items() if name not in broken_tensors}
    rest["ops"] = [_placeholder(op) if position in broken_ops else op for position, op in enumerate(ops)]
    try:
        workload = read_workload(replace(document, data={"name": "-", **rest}), folder)
    except BadInputError:
        return ()
    names = frozenset(name for name in results if isinstance(name, str)) | broken_tensors
    return draft_graph(Draft(workload, names, broken_ops)).problems


def _placeholder(op: object) -> dict[str, object]:
    """Return an op that passes for sound: the operator and attributes of a broken one, if they can be read."""
    entry = op if isinstance(op, Mapping) else {}
    attributes = {key: value for key, value in entry.items() if key not in OpEntry.model_fields}
    name = entry.get("op")
    return {**attributes, "op": name if isinstance(name, str) else UNREADABLE, "inputs": [], "output": "placeholder"}
