"""Words for messages: what a value is called, where it stands, and which name the user may have meant."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TypeAlias

Path: TypeAlias = tuple[str | int, ...]
"""Keys and list indices from the root of a document to a value, such as ``("ops", 0, "partials")``."""

_LONGEST_SHOWN = 40
_LONGEST_NAME = 100


class FieldError(ValueError):
    """What is wrong with one field, raised inside a validator; :mod:`ipusim.files.validate` adds the place.

    Parameters
    ----------
    message : str
        What is wrong, without a full stop.
    hint : str
        A suggestion, or empty.
    path : tuple of str and int
        Where inside the validated value the problem is, when it is not the whole value.
    """

    def __init__(self, message: str, hint: str = "", path: Path = ()) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.path = path


class FieldsError(ValueError):
    """Several :class:`FieldError` found by one validator, so that the user sees all of them at once."""

    def __init__(self, errors: Iterable[FieldError]) -> None:
        self.errors = tuple(errors)
        super().__init__("; ".join(error.message for error in self.errors))


def dotted(path: Path) -> str:
    """Return `path` as users write it in ``--set``: ``ops.0.partials``."""
    return ".".join(shorten(str(part), _LONGEST_NAME) for part in path)


def shorten(text: str, length: int = _LONGEST_SHOWN) -> str:
    """Return `text`, cut to `length` characters with an ellipsis."""
    return text if len(text) <= length else text[: length - 1] + "…"


def describe(value: object) -> str:
    """Return what a message calls `value`: ``the number 3``, ``the text 'abc'``, ``a list``."""
    if value is None:
        return "nothing (null)"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (int, float)):
        return f"the number {value}"
    if isinstance(value, str):
        return f"the text {shorten(value)!r}"
    if isinstance(value, Mapping):
        return "a mapping"
    if isinstance(value, (list, tuple)):
        return "a list"
    return f"a {type(value).__name__}"


def did_you_mean(word: str, candidates: Iterable[str]) -> str:
    """Return ``did you mean 'x'?`` for the candidate nearest to `word`, or an empty string if none is near."""
    if len(word) > _LONGEST_NAME:
        return ""
    from difflib import get_close_matches

    by_folded = {candidate.casefold(): candidate for candidate in candidates}
    near = get_close_matches(word.casefold(), by_folded, n=1, cutoff=0.6)
    return f"did you mean {by_folded[near[0]]!r}?" if near else ""


def join_words(words: Iterable[str], conjunction: str = "or") -> str:
    """Return ``a, b or c``."""
    unique = list(dict.fromkeys(words))
    if len(unique) < 2:
        return "".join(unique)
    return f"{', '.join(unique[:-1])} {conjunction} {unique[-1]}"
