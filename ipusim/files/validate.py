"""Check a document against a Pydantic model; report every problem in plain words, at its place."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from ipusim.errors import BadInputError, Problem
from ipusim.files.compose import MAX_PROBLEMS
from ipusim.files.document import Document
from ipusim.files.plain import expected_noun, plain_message, tag_problem
from ipusim.files.wording import FieldError, FieldsError, Path, describe, did_you_mean, join_words

M = TypeVar("M", bound=BaseModel)

MISSING = "is missing"
"""Message of a required key that is not there."""


def validate(
    document: Document, model: type[M], context: Mapping[str, Any] | None = None, other_keys: Sequence[str] = ()
) -> M:
    """Return `document` as an instance of `model`.

    Parameters
    ----------
    document : Document
        What the user wrote.
    model : type
        Pydantic model. Its validators may raise :class:`~ipusim.files.wording.FieldError`, with a path inside the
        value they judge, or several at once as ``FieldsError``.
    context : Mapping, optional
        Passed to the validators.
    other_keys : sequence of str
        Keys of the document that were taken out before, but may be suggested for an unknown one.

    Raises
    ------
    BadInputError
        With every problem that the model finds, in the order of the file.
    """
    try:
        return model.model_validate(document.data, context=dict(context or {}))
    except ValidationError as error:
        details = error.errors(include_url=False)
    problems = in_order(_problems(document, model, details[:MAX_PROBLEMS], other_keys), document)
    if len(details) > MAX_PROBLEMS:
        problems.append(document.problem((), f"only {MAX_PROBLEMS} of {len(details)} problems are shown"))
    raise BadInputError(problems)


def in_order(problems: Iterable[Problem], document: Document) -> list[Problem]:
    """Return `problems` without repetitions, those of the file of `document` first, each file from top to bottom."""

    def place(problem: Problem) -> tuple[bool, str, int, int]:
        return problem.file != document.name, problem.file, problem.line, problem.column

    return sorted(dict.fromkeys(problems), key=place)


def _problems(
    document: Document, model: type[BaseModel], details: list[Any], other_keys: Sequence[str]
) -> list[Problem]:
    problems: list[Problem] = []
    unions: dict[Path, dict[str, list[tuple[Path, Any]]]] = {}
    for detail in details:
        path, union, branch = _walk(document.data, detail)
        if branch:
            unions.setdefault(union, {}).setdefault(branch, []).append((path, detail))
        elif detail["type"] == "extra_forbidden" and len(path) == 1:
            hint = did_you_mean(str(path[0]), [*_known_keys(model, path), *other_keys])
            problems.append(document.problem(path, "unknown key", hint, at_key=True))
        else:
            problems.extend(_translate(document, model, path, detail))
    for union, branches in unions.items():
        problems.extend(_union_problems(document, model, union, branches))
    return problems


def _walk(data: Any, detail: Any) -> tuple[Path, Path, str]:
    """Return the path of a Pydantic location in the data, and the first union on the way with the branch taken.

    Pydantic mixes names of union members and of key checks into its locations; they lead nowhere in the data.
    """
    location = [part for part in detail["loc"] if part != "[key]"]
    path: list[str | int] = []
    union: Path = ()
    branch = ""
    for position, part in enumerate(location):
        is_last = position == len(location) - 1
        if _leads_on(data, part):
            data = data[part]
        elif not (is_last and detail["type"] == "missing"):
            union, branch = (union, branch) if branch else (tuple(path), str(part))
            continue
        path.append(part)
    return tuple(path), union, branch


def _leads_on(data: Any, part: str | int) -> bool:
    if isinstance(data, Mapping):
        return part in data
    return isinstance(data, list) and isinstance(part, int) and part < len(data)


def _union_problems(
    document: Document, model: type[BaseModel], union: Path, branches: dict[str, list[tuple[Path, Any]]]
) -> list[Problem]:
    fitting = {
        branch: found
        for branch, found in branches.items()
        if not any(path == union and expected_noun(detail) for path, detail in found)
    }
    if fitting:
        best = min(fitting.values(), key=len)
        return [problem for path, detail in best for problem in _translate(document, model, path, detail)]
    nouns = [expected_noun(detail) for found in branches.values() for _, detail in found]
    found_value = next(iter(branches.values()))[0][1]["input"]
    message = f"expected {join_words(noun for noun in nouns if noun)}, found {describe(found_value)}"
    return [document.problem(union, message)]


def _translate(document: Document, model: type[BaseModel], path: Path, detail: Any) -> list[Problem]:
    kind = detail["type"]
    if kind == "too_short" and len(detail["input"]) >= detail["ctx"]["min_length"]:
        return []  # Pydantic counts valid items only; the invalid ones have problems of their own
    if kind == "missing":
        return [document.problem(path, MISSING)]
    if kind == "extra_forbidden":
        hint = did_you_mean(str(path[-1]), _known_keys(model, path))
        return [document.problem(path, "unknown key", hint, at_key=True)]
    raised = detail.get("ctx", {}).get("error")
    if isinstance(raised, FieldsError):
        return [_raised_problem(document, path, each) for each in raised.errors]
    if isinstance(raised, FieldError):
        return [_raised_problem(document, path, raised)]
    if kind in ("union_tag_invalid", "union_tag_not_found"):
        key, message, hint = tag_problem(detail)
        return [document.problem((*path, key), message, hint)]
    return [document.problem(path, *plain_message(detail))]


def _raised_problem(document: Document, path: Path, error: FieldError) -> Problem:
    return document.problem((*path, *error.path), error.message, error.hint)


def _known_keys(model: type[BaseModel], path: Path) -> list[str]:
    """Return the keys that the model(s) at the parent of `path` accept."""
    models: list[Any] = [model]
    for part in path[:-1]:
        models = [inner for outer in models for inner in _models_at(outer, part)]
    return [field.alias or name for each in models for name, field in each.model_fields.items()]


def _models_at(model: type[BaseModel], part: str | int) -> list[type[BaseModel]]:
    """Return the models inside the field `part`, or `model` itself where `part` indexes a container of models."""
    field = model.model_fields.get(str(part)) or next(
        (field for field in model.model_fields.values() if field.alias == part), None
    )
    return [model] if field is None else _models_in(field.annotation)


def _models_in(annotation: Any) -> list[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [model for argument in getattr(annotation, "__args__", ()) for model in _models_in(argument)]
