"""Properties of the YAML layer over generated documents and generated rubbish."""

from __future__ import annotations

import json
import math
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from ipusim.errors import BadInputError, Problem
from ipusim.files.document import load_document, parse_document

TEXT = st.text(st.characters(exclude_categories=("Cs", "Cc", "Cn", "Co", "Zl", "Zp"), exclude_characters="\ufeff"))
SCALAR = (
    st.none() | st.booleans() | st.integers(-(2**63) + 1, 2**63 - 1) | st.floats(allow_nan=False, allow_infinity=False)
) | TEXT
VALUE = st.recursive(SCALAR, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXT, inner, max_size=4))
DATA = st.dictionaries(TEXT, VALUE, min_size=1, max_size=5)
YAML_LIKE = st.text(alphabet="ab:-[]{}&*!|>'\"#%@` \n\t0.,?<=~1e+x_\r\\é", max_size=60)


def flow(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)


def block(value: Any, indent: int = 0) -> str:
    """Return `value` in YAML's block style, scalars as in JSON."""
    pad = " " * indent
    if isinstance(value, dict) and value:
        return "".join(f"\n{pad}{flow(key)}: {block(item, indent + 2)}" for key, item in value.items())
    if isinstance(value, list) and value:
        return "".join(f"\n{pad}- {block(item, indent + 2)}" for item in value)
    return flow(value)


def same(left: Any, right: Any) -> bool:
    if type(left) is not type(right):
        return False
    if isinstance(left, dict):
        return left.keys() == right.keys() and all(same(left[key], right[key]) for key in left)
    if isinstance(left, list):
        return len(left) == len(right) and all(map(same, left, right))
    if isinstance(left, float):
        return left == right and math.copysign(1, left) == math.copysign(1, right)
    return bool(left == right)


def paths(value: Any, path: tuple[str | int, ...] = ()) -> set[tuple[str | int, ...]]:
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return {path}.union(*(paths(item, (*path, key)) for key, item in items))


@given(DATA)
def test_flow_documents_keep_their_values_and_every_value_has_a_place(data: dict[str, Any]) -> None:
    document = parse_document(flow(data), "f.yaml")
    assert same(document.data, data)
    assert set(document.marks) == paths(data)


@given(DATA)
def test_block_documents_keep_their_values_and_places(data: dict[str, Any]) -> None:
    text = block(data)
    document = parse_document(text, "f.yaml")
    assert same(document.data, data)
    lines = text.split("\n")
    for path, mark in document.marks.items():
        if path and isinstance(path[-1], str):
            assert lines[mark.key_line - 1][mark.key_column - 1 :].startswith(flow(path[-1]))


@given(DATA)
def test_a_dict_gives_the_same_values_as_its_text(data: dict[str, Any]) -> None:
    assert same(load_document(data).data, parse_document(flow(data), "f.yaml").data)


def is_refused_or_read(text: str) -> None:
    n_lines = text.count("\n") + text.count("\r") + text.count("\x85") + text.count("\u2028") + text.count("\u2029") + 1
    problems: tuple[Problem, ...] = ()
    try:
        data: object = parse_document(text, "f.yaml").data
    except BadInputError as error:
        data, problems = None, error.problems
    assert isinstance(data, dict) != bool(problems)
    assert all(1 <= problem.line <= n_lines and problem.column >= 1 for problem in problems)


@settings(max_examples=500)
@given(YAML_LIKE)
def test_text_that_resembles_yaml_is_read_or_refused(text: str) -> None:
    is_refused_or_read(text)


@given(st.text())
def test_any_text_is_read_or_refused(text: str) -> None:
    is_refused_or_read(text.encode("utf-8", "ignore").decode())
