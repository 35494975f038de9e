"""``--set key.path=value``."""

from __future__ import annotations

import pytest

from ipusim.errors import BadInputError
from ipusim.files.document import load_document, parse_document
from ipusim.files.overrides import inherit, override, parse_setting

TEXT = (
    "name: x\nops:\n- {op: matmul, partials: float16}\n- {op: relu}\n"
    "tensors:\n  a.b: {shape: [1]}\n  a: {shape: [2]}\nnothing:\n"
)


@pytest.mark.parametrize(
    ("setting", "path", "value"),
    [
        ("name=y", ("name",), "y"),
        ("name=1e6", ("name",), 1e6),
        ("name=no", ("name",), "no"),
        ("name='1'", ("name",), "1"),
        ("name=null", ("name",), None),
        ("name=[1, {b: 2}]", ("name",), [1, {"b": 2}]),
        ("name=a=b", ("name",), "a=b"),
        (" name = 3 ", ("name",), 3),
        ("ops.0.partials=float32", ("ops", 0, "partials"), "float32"),
        ("ops.1={op: cast}", ("ops", 1), {"op": "cast"}),
        ("tensors.a.shape=[3]", ("tensors", "a", "shape"), [3]),
        ("tensors.a.b.shape=[3]", ("tensors", "a.b", "shape"), [3]),
        ("tensors.c.shape=[3]", ("tensors", "c", "shape"), [3]),
        ("nothing.deep.er=1", ("nothing", "deep", "er"), 1),
    ],
)
def test_a_setting_replaces_or_creates_one_value(setting: str, path: tuple[str | int, ...], value: object) -> None:
    document = parse_document(TEXT, "w.yaml")
    changed = override(document, [setting])
    found: object = changed.data
    for part in path:
        found = found[part]  # type: ignore[index]
    assert found == value
    problem = changed.problem(path, "wrong")
    assert (problem.file, problem.line) == (f"--set {setting}", 0)
    assert document == parse_document(TEXT, "w.yaml")


def test_the_rest_of_the_document_is_untouched() -> None:
    document = parse_document(TEXT, "w.yaml")
    changed = override(document, ["ops.0.partials=float32", "ops.0.partials=float64", "new.key=1"])
    assert changed.data["ops"][0] == {"op": "matmul", "partials": "float64"}
    assert changed.data["ops"][1] is document.data["ops"][1]
    assert changed.marks["ops", 0, "op"] == document.marks["ops", 0, "op"]
    assert changed.problem(("new", "other"), "wrong").file == "--set new.key=1"
    assert changed.problem(("ops", 0, "partials", 3), "wrong").file == "--set ops.0.partials=float64"


def test_replacing_a_part_that_an_alias_shares_leaves_the_other_use() -> None:
    changed = override(parse_document("a: &x {n: 1}\nb: *x\n", "w.yaml"), ["b.n=2"])
    assert changed.data == {"a": {"n": 1}, "b": {"n": 2}}


def test_settings_work_on_a_dict() -> None:
    changed = override(load_document({"a": [1, 2]}), ["a.1=5"])
    assert changed.data == {"a": [1, 5]}
    assert str(changed.problem(("a", 1), "wrong")) == "--set a.1=5: a.1: wrong"
    assert str(changed.problem(("a", 0), "wrong")) == "<dict>: a.0: wrong"


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ("name", "--set name: expected key.path=value (such as compile.x=0.5 or ops.0.y=z)"),
        ("=3", "--set =3: expected key.path=value (such as compile.x=0.5 or ops.0.y=z)"),
        ("a..b=3", "--set a..b=3: expected key.path=value (such as compile.x=0.5 or ops.0.y=z)"),
        ("name=", "--set name=: name: there is no value (write name=null to clear it)"),
        ("name=.nan", "--set name=.nan: name: .nan is not a finite number"),
        ("name=!x 3", "--set name=!x 3: name: the tag !x is not accepted (write a plain value)"),
        ("name.x=1", "--set name.x=1: name: is the text 'x', so it has no 'x'"),
        ("ops.2.op=x", "--set ops.2.op=x: ops: a list has no item '2' (indices: 0 to 1)"),
        ("ops.-1.op=x", "--set ops.-1.op=x: ops: a list has no item '-1' (indices: 0 to 1)"),
        ("ops.first=x", "--set ops.first=x: ops: a list has no item 'first' (indices: 0 to 1)"),
    ],
)
def test_a_wrong_setting_is_located(setting: str, message: str) -> None:
    with pytest.raises(BadInputError) as caught:
        override(parse_document(TEXT, "w.yaml"), [setting])
    assert str(caught.value) == message


def test_all_wrong_settings_are_told_at_once() -> None:
    document = parse_document(TEXT, "w.yaml")
    with pytest.raises(BadInputError) as malformed:
        override(document, ["a", "b=[", "name=1"])
    assert len(malformed.value.problems) == 2
    with pytest.raises(BadInputError) as misplaced:
        override(document, ["name.x=1", "name=1", "ops.9=1"])
    assert [problem.file for problem in misplaced.value.problems] == ["--set name.x=1", "--set ops.9=1"]


def test_inherit_takes_whole_top_level_values_and_keeps_their_files() -> None:
    base = parse_document("a: {x: 1, y: 2}\nb: 2\n", "base.yaml")
    top = parse_document("a: {x: 3}\nc: 4\n", "top.yaml")
    merged = inherit(base, top)
    assert merged.name == "top.yaml"
    assert merged.data == {"a": {"x": 3}, "b": 2, "c": 4}
    assert [merged.problem((key,), "wrong").file for key in "abc"] == ["top.yaml", "base.yaml", "top.yaml"]
    assert merged.problem(("a", "y"), "wrong").file == "top.yaml"


def test_bytes_of_a_command_line_that_are_no_text() -> None:
    with pytest.raises(BadInputError) as caught:
        parse_setting("name=caf\udce9")
    assert caught.value.problems[0].message == "not text: \\udce9 is no character"
