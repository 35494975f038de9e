"""Documents with a ``model`` become documents with the ``tensors`` and ``ops`` that it stands for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path as FilePath
from typing import Any, NamedTuple

from ipusim.errors import BadInputError, Problem
from ipusim.files.document import Document, Mark
from ipusim.files.validate import validate
from ipusim.files.wording import FieldError, FieldsError, Path, describe, did_you_mean, dotted, join_words
from ipusim.frontends.entries import LayerEntry
from ipusim.frontends.layers import apply_layers, read_layers
from ipusim.frontends.models.registry import find_model, model_names
from ipusim.frontends.models.source import Generated, ModelContext, ModelSource
from ipusim.ops.spec import FORMATS

GENERATING_KEYS = ("model", "layers")
"""Keys of a workload file that are worked into its tensors and ops."""

_REPLACED = ("tensors", "ops")


class Expanded(NamedTuple):
    """A document in plain `tensors` and `ops`, and what was found to be wrong with the rest on the way."""

    document: Document
    problems: tuple[Problem, ...]


def spelled_out(document: Document) -> Document:
    """Return `document` with a bare word after ``model`` as a mapping, so that settings reach its options."""
    word = document.data.get("model")
    if not isinstance(word, str):
        return document
    marks = dict(document.marks)
    if ("model",) in marks:
        marks["model", word] = marks["model",]
    return replace(document, data={**document.data, "model": {word: {}}}, marks=marks)


def expand_document(document: Document, folder: FilePath) -> Expanded:
    """Return `document` with its ``model`` and its ``layers`` worked into ``tensors`` and ``ops``.

    Where the model cannot be built, these two are empty, so that the rest of the document can still be judged.

    Parameters
    ----------
    document : Document
        As written. Without both keys it is returned as it is.
    folder : Path
        Folder that paths in it are relative to.
    """
    if not any(key in document.data for key in GENERATING_KEYS):
        return Expanded(document, ())
    problems: list[Problem] = []
    layers: dict[str, LayerEntry] = {}
    weights: frozenset[str] | None = None
    try:
        layers = read_layers(document)
    except BadInputError as error:
        problems += error.problems
    if "model" in document.data:
        generated, found = _generated(document, folder)
        problems += found
        document, weights = _with_entries(document, generated), generated.weights
    if problems:
        data = {key: value for key, value in document.data.items() if key != "layers"}
        return Expanded(replace(document, data=data), tuple(problems))
    document, found = apply_layers(document, layers, weights)
    return Expanded(document, found)


def _generated(document: Document, folder: FilePath) -> tuple[Generated, tuple[Problem, ...]]:
    """Return what the model of a document stands for, nothing if it is wrong, and all that is wrong with it."""
    beside = tuple(
        document.problem((key,), f"the model brings its own {key}", f"leave out {key} or model", at_key=True)
        for key in _REPLACED
        if key in document.data
    )
    try:
        return _build(document, folder), beside
    except BadInputError as error:
        return Generated({}, []), (*error.problems, *beside)


def _build(document: Document, folder: FilePath) -> Generated:
    """Return the entries of a document's model; BadInputError with all that is wrong with its entry."""
    entry = document.data["model"]
    if not isinstance(entry, Mapping):
        known = f"there are {join_words(model_names(), 'and')}"
        raise BadInputError([document.problem(("model",), f"expected a model, found {describe(entry)}", known)])
    if len(entry) != 1:
        found = join_words(entry, "and") or "none"
        raise BadInputError([document.problem(("model",), f"expected one model, found {found}")])
    ((word, options),) = entry.items()
    where = ("model", word)
    if word not in model_names():
        hint = did_you_mean(word, model_names()) or f"there are {join_words(model_names(), 'and')}"
        raise BadInputError([document.problem(where, f"unknown model {word!r}", hint, at_key=True)])
    source = find_model(word)
    checked = _options(document, source, options)
    try:
        return source.build(checked, ModelContext(folder, _dtype(document)))
    except FieldError as error:
        raise BadInputError([document.problem((*where, *error.path), error.message, error.hint)]) from None
    except FieldsError as error:
        raise BadInputError(
            [document.problem((*where, *each.path), each.message, each.hint) for each in error.errors]
        ) from None


def _options(document: Document, source: ModelSource, options: object) -> Any:
    """Return the options of a model, checked."""
    where = ("model", source.name)
    marks = {path[2:]: mark for path, mark in document.marks.items() if path[:2] == where}
    if source.shorthand and isinstance(options, str):
        marks = {(): marks[()], (source.shorthand,): marks[()]} if marks else {}
        options = {source.shorthand: options}
    if options is None:
        options = {}
    if not isinstance(options, Mapping):
        raise BadInputError([document.problem(where, f"expected a mapping of options, found {describe(options)}")])
    try:
        return validate(Document(document.name, dict(options), marks), source.options)
    except BadInputError as error:
        prefix = dotted(where)
        raise BadInputError(
            [replace(each, path=f"{prefix}.{each.path}" if each.path else prefix) for each in error.problems]
        ) from None


def _dtype(document: Document) -> str:
    dtype = document.data.get("dtype")
    return dtype if dtype in FORMATS else "float16"


def _with_entries(document: Document, generated: Generated) -> Document:
    """Return `document` with entries instead of the model, all of them placed at the model's key."""
    data = {key: value for key, value in document.data.items() if key != "model"}
    data |= {"tensors": generated.tensors, "ops": generated.ops}
    marks = {path: mark for path, mark in document.marks.items() if path[:1] not in (("tensors",), ("ops",))}
    place: Mark | None = marks.get(("model",))
    if place is not None:
        marks |= {("tensors",): place, ("ops",): place}
    if generated.outputs and "outputs" not in data:
        data["outputs"] = generated.outputs
        if place is not None:
            marks["outputs",] = place
    labels: dict[Path, str] = {
        ("ops", position): str(op.get("name", op["output"])) for position, op in enumerate(generated.ops)
    }
    return Document(document.name, data, marks, labels)
