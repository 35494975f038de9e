"""YAML text to plain values, with the position of every key and value, and every problem found on the way.

The parser's events are composed here, one by one, rather than by PyYAML, so that depth, size and alias expansion are
bounded before memory is spent, and so that a problem does not hide the next one.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import yaml

from ipusim.errors import Problem
from ipusim.files.scalars import parse_scalar
from ipusim.files.wording import FieldError, Path, describe, dotted, shorten

MAX_DEPTH = 64
"""Deepest nesting of mappings and lists, aliases expanded."""

MAX_VALUES = 100_000
"""Most values in a document, aliases expanded."""

MAX_PROBLEMS = 200
"""Most problems of one document that are told; reading stops there."""

_Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class Mark(NamedTuple):
    """Where a value stands: its file, the 1-based place of the value, and that of its key (or list item)."""

    file: str
    line: int
    column: int
    key_line: int
    key_column: int


class _Anchor(NamedTuple):
    value: Any
    n_values: int
    height: int
    is_open: bool


class _Stop(Exception):  # noqa: N818 - not an error: the reason is among the problems
    """No use in reading on."""


class Composer:
    """Composes the only document of a YAML text.

    Attributes
    ----------
    value : Any
        The document: dicts with text keys, lists and scalars. Aliased parts are shared objects.
    marks : dict
        Path of every value to its :class:`Mark`. Parts reached through an alias have none of their own.
    problems : list of Problem
        Everything wrong, in the order of the text.
    """

    def __init__(self, text: str, file: str) -> None:
        self.value: Any = None
        self.marks: dict[Path, Mark] = {}
        self.problems: list[Problem] = []
        self._text = text
        self._file = file
        self._anchors: dict[str, _Anchor] = {}
        self._n_values = 0
        self._heights: list[int] = []
        try:
            self._loader = _Loader(text)
        except UnicodeEncodeError as error:  # half of a pair of surrogates, as bytes of a command line become
            line, column = text.count("\n", 0, error.start) + 1, error.start - text.rfind("\n", 0, error.start)
            problem = f"not text: {ascii(text[error.start])[1:-1]} is no character"
            self.problems.append(Problem(file, line, column, "", problem))
            return
        try:
            self._compose_stream()
        except yaml.YAMLError as error:
            self._report_syntax(error)
        except _Stop:
            pass
        finally:
            self._loader.dispose()

    def _compose_stream(self) -> None:
        self._loader.get_event()
        if self._loader.check_event(yaml.StreamEndEvent):
            self._report(None, (), "the file is empty")
            return
        self._loader.get_event()
        self.value = self._compose((), None)
        self._loader.get_event()
        if not self._loader.check_event(yaml.StreamEndEvent):
            event = self._loader.get_event()
            self._report(event.start_mark, (), "a second document starts here; a file holds one")

    def _compose(self, path: Path, key_mark: Any) -> Any:
        event = self._loader.get_event()
        mark, key = event.start_mark, key_mark or event.start_mark
        self.marks.setdefault(path, Mark(self._file, mark.line + 1, mark.column + 1, key.line + 1, key.column + 1))
        if isinstance(event, yaml.AliasEvent):
            return self._expand(event, path)
        self._count(1, event, path)
        if event.tag is not None and event.tag != "!":
            self._report(mark, path, f"the tag {_tag(event.tag)} is not accepted", "write a plain value")
        if isinstance(event, yaml.ScalarEvent):
            value = self._scalar(event, path)
            self._anchor(event, _Anchor(value, 1, 0, False))
            return value
        return self._collection(event, path)

    def _collection(self, event: Any, path: Path) -> Any:
        if len(self._heights) >= MAX_DEPTH:
            self._report(event.start_mark, path[:4], f"nested more than {MAX_DEPTH} levels deep")
            raise _Stop
        self._anchor(event, _Anchor(None, 0, 0, True))
        before = self._n_values
        self._heights.append(0)
        is_list = isinstance(event, yaml.SequenceStartEvent)
        value = self._list(path) if is_list else self._mapping(path)
        height = self._heights.pop() + 1
        self._raise_height(height)
        self._anchor(event, _Anchor(value, self._n_values - before + 1, height, False))
        return value

    def _list(self, path: Path) -> list[Any]:
        items: list[Any] = []
        while not self._loader.check_event(yaml.SequenceEndEvent):
            items.append(self._compose((*path, len(items)), None))
        self._loader.get_event()
        return items

    def _mapping(self, path: Path) -> dict[str, Any]:
        items: dict[str, Any] = {}
        while not self._loader.check_event(yaml.MappingEndEvent):
            event = self._loader.peek_event()
            key = self._key(path)
            child = (*path, key)
            if key in items:
                first = self.marks[child].key_line
                self._report(event.start_mark, child, f"duplicate key, first given in line {first}")
            value = self._compose(child, event.start_mark)
            items.setdefault(key, value)
        self._loader.get_event()
        return items

    def _key(self, path: Path) -> str:
        event = self._loader.peek_event()
        if not isinstance(event, yaml.ScalarEvent):
            self._compose((*path, "?"), None)
            self._report(event.start_mark, path, "a key must be a text")
            return "?"
        self._loader.get_event()
        self._count(1, event, path)
        text = str(event.value)
        self._anchor(event, _Anchor(text, 1, 0, False))
        if event.tag is not None and event.tag != "!":
            self._report(event.start_mark, path, f"the tag {_tag(event.tag)} is not accepted", "write a plain key")
        if not event.implicit[0]:
            return text
        if text == "<<":
            self._report(event.start_mark, (*path, text), "merge keys are not part of YAML 1.2", "write the keys out")
            return text
        value = _plain_or_text(text)
        if not isinstance(value, str):
            hint = f'write "{shorten(text)}"' if text else ""
            self._report(event.start_mark, path, f"a key must be a text, found {describe(value)}", hint)
        return text

    def _scalar(self, event: Any, path: Path) -> Any:
        if not event.implicit[0]:
            return event.value
        try:
            return parse_scalar(event.value)
        except FieldError as error:
            self._report(event.start_mark, path, error.message)
            return None

    def _anchor(self, event: Any, anchor: _Anchor) -> None:
        if event.anchor is not None:
            self._anchors[event.anchor] = anchor

    def _expand(self, event: Any, path: Path) -> Any:
        anchor = self._anchors.get(event.anchor)
        if anchor is None:
            name = shorten(event.anchor)
            self._report(event.start_mark, path, f"the alias *{name} has no anchor &{name} before it")
            return None
        if anchor.is_open:
            self._report(event.start_mark, path, f"the alias *{shorten(event.anchor)} contains itself")
            return None
        self._count(anchor.n_values, event, path)
        self._raise_height(anchor.height)
        if len(self._heights) + anchor.height > MAX_DEPTH:
            self._report(event.start_mark, path[:4], f"nested more than {MAX_DEPTH} levels deep")
            raise _Stop
        return anchor.value

    def _raise_height(self, height: int) -> None:
        if self._heights:
            self._heights[-1] = max(self._heights[-1], height)

    def _count(self, n_values: int, event: Any, path: Path) -> None:
        self._n_values += n_values
        if self._n_values <= MAX_VALUES:
            return
        message = f"the file has more than {MAX_VALUES:,} values"
        self._report(event.start_mark, path, message + (", aliases expanded" if n_values > 1 else ""))
        raise _Stop

    def _report(self, mark: Any, path: Path, message: str, hint: str = "") -> None:
        line, column = (mark.line + 1, mark.column + 1) if mark is not None else (1, 1)
        self.problems.append(Problem(self._file, line, column, dotted(path), message, hint))
        if len(self.problems) == MAX_PROBLEMS:
            stop = f"reading stops here, after {MAX_PROBLEMS} problems"
            self.problems.append(Problem(self._file, line, column, "", stop))
            raise _Stop

    def _report_syntax(self, error: yaml.YAMLError) -> None:
        mark = getattr(error, "problem_mark", None) or getattr(error, "context_mark", None)
        problem = getattr(error, "problem", None) or getattr(error, "reason", None) or str(error)
        if mark is None:
            offset = getattr(error, "position", 0)
            line, column = _place(self._text, offset if isinstance(offset, int) else 0)
            self.problems.append(Problem(self._file, line, column, "", f"not valid YAML: {problem}"))
            return
        line, column = _inside(self._text, mark.line, mark.column)
        if _character_at(self._text, mark.line, mark.column) == "\t":
            message, hint = "a tab cannot indent or separate YAML", "use spaces"
            self.problems.append(Problem(self._file, line, column, "", message, hint))
            return
        context = getattr(error, "context", None)
        start = getattr(error, "context_mark", None)
        where = f" {context}" if context else ""
        where += f" that starts in line {start.line + 1}" if context and start and start.line != mark.line else ""
        needs_quotes = "mapping values" in problem or "flow" in (context or "")
        hint = "a text with ':', ',' or brackets in it needs quotes" if needs_quotes else ""
        self.problems.append(Problem(self._file, line, column, "", f"not valid YAML: {problem}{where}", hint))


def _plain_or_text(text: str) -> object:
    try:
        return parse_scalar(text)
    except FieldError:
        return 0


def _place(text: str, offset: int) -> tuple[int, int]:
    """Return the 1-based line and column of a byte offset into `text` as UTF-8."""
    before = text.encode()[:offset].decode(errors="ignore")
    return before.count("\n") + 1, len(before) - (before.rfind("\n") + 1) + 1


def _inside(text: str, line: int, column: int) -> tuple[int, int]:
    """Return a 0-based place as a 1-based one; the parser's end of a text may lie one line below its last."""
    lines = f"{text}.".splitlines()
    return (line + 1, column + 1) if line < len(lines) else (len(lines), len(lines[-1]))


def _tag(tag: str) -> str:
    return shorten(tag.replace("tag:yaml.org,2002:", "!!"))


def _character_at(text: str, line: int, column: int) -> str:
    lines = text.splitlines()
    return lines[line][column : column + 1] if line < len(lines) else ""
