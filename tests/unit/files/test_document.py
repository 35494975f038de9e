"""Reading YAML: values, positions, and every problem at its place."""

from __future__ import annotations

import subprocess
import sys
from itertools import pairwise
from pathlib import Path

import pytest

from ipusim.errors import BadInputError, Problem
from ipusim.files.document import (
    MAX_DEPTH,
    MAX_FILE_BYTES,
    MAX_PROBLEMS,
    MAX_VALUES,
    Document,
    load_document,
    parse_document,
)


def messages(text: str) -> list[str]:
    with pytest.raises(BadInputError) as caught:
        parse_document(text, "f.yaml")
    return [str(problem) for problem in caught.value.problems]


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1e6", 1e6),
        ("1E-3", 1e-3),
        ("+.5", 0.5),
        ("1.", 1.0),
        ("-12", -12),
        ("+12", 12),
        ("010", 10),
        ("0o17", 15),
        ("0x1F", 31),
        ("9223372036854775807", 2**63 - 1),
        ("true", True),
        ("FALSE", False),
        ("null", None),
        ("~", None),
        ("", None),
        ("no", "no"),
        ("on", "on"),
        ("1_000", "1_000"),
        ("1:30", "1:30"),
        ("2020-01-01", "2020-01-01"),
        ("0b11", "0b11"),
        ("1/16", "1/16"),
        ("1.2.3", "1.2.3"),
        (".", "."),
        ("-", None),
        ("'1'", "1"),
        ('"true"', "true"),
        ("'null'", "null"),
        ("nan", "nan"),
        ("|\n  1\n", "1\n"),
    ],
)
def test_scalars_follow_yaml_1_2(text: str, value: object) -> None:
    document = parse_document(f"a: {text}" if text != "-" else "a: ", "f.yaml")
    assert document.data == {"a": value}
    assert type(document.data["a"]) is type(value)


def test_every_key_and_value_has_a_place() -> None:
    text = "tensors:\n  w:\n    shape: [4, 16]\nops:\n- op: matmul\n"
    marks = parse_document(text, "f.yaml").marks
    places = {path: (mark.key_line, mark.key_column, mark.line, mark.column) for path, mark in marks.items()}
    assert places == {
        (): (1, 1, 1, 1),
        ("tensors",): (1, 1, 2, 3),
        ("tensors", "w"): (2, 3, 3, 5),
        ("tensors", "w", "shape"): (3, 5, 3, 12),
        ("tensors", "w", "shape", 0): (3, 13, 3, 13),
        ("tensors", "w", "shape", 1): (3, 16, 3, 16),
        ("ops",): (4, 1, 5, 1),
        ("ops", 0): (5, 3, 5, 3),
        ("ops", 0, "op"): (5, 3, 5, 7),
    }
    assert {mark.file for mark in marks.values()} == {"f.yaml"}


def test_columns_count_characters_not_bytes() -> None:
    assert parse_document("é: [ü, ö]", "f.yaml").marks[("é", 1)].column == 8


def test_problem_stands_at_the_value_its_key_or_the_nearest_ancestor() -> None:
    document = parse_document("a:\n  b: 3\n  c: &x {d: 4}\n  e: *x\n", "f.yaml")
    assert document.problem(("a", "b"), "wrong", "hint") == Problem("f.yaml", 2, 6, "a.b", "wrong", "hint")
    assert document.problem(("a", "b"), "wrong", at_key=True) == Problem("f.yaml", 2, 3, "a.b", "wrong")
    assert document.problem(("a", "missing", 0), "wrong") == Problem("f.yaml", 1, 1, "a.missing.0", "wrong")
    assert document.problem(("a", "e", "d"), "wrong") == Problem("f.yaml", 4, 3, "a.e.d", "wrong")


def test_aliases_give_the_value_of_their_anchor() -> None:
    document = parse_document("a: &x [1, 2]\nb: *x\nc: {&k d: 1, e: *k}\n", "f.yaml")
    assert document.data == {"a": [1, 2], "b": [1, 2], "c": {"d": 1, "e": "d"}}


def test_one_document_may_have_its_markers_and_comments() -> None:
    assert parse_document("# c\n---\na: 1\n...\n", "f.yaml").data == {"a": 1}


def test_all_problems_are_told_at_once() -> None:
    text = "a: 1\nb: {a: .inf, a: 2}\na: !x 3\nc: *gone\n3: x\n"
    assert messages(text) == [
        "f.yaml:2:8: b.a: .inf is not a finite number",
        "f.yaml:2:14: b.a: duplicate key, first given in line 2",
        "f.yaml:3:1: a: duplicate key, first given in line 1",
        "f.yaml:3:4: a: the tag !x is not accepted (write a plain value)",
        "f.yaml:4:4: c: the alias *gone has no anchor &gone before it",
        'f.yaml:5:1: a key must be a text, found the number 3 (write "3")',
    ]


def test_problems_before_a_syntax_error_are_kept() -> None:
    found = messages("a: 1\na: 2\nb: [1\n")
    assert found[0] == "f.yaml:2:1: a: duplicate key, first given in line 1"
    assert found[1].startswith("f.yaml:4:1: not valid YAML: did not find expected ',' or ']'")
    assert len(found) == 2


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a:\n\tb: 1\n", "f.yaml:2:1: a tab cannot indent or separate YAML (use spaces)"),
        ("", "f.yaml:1:1: the file is empty"),
        ("just text", "f.yaml:1:1: the file must be a mapping of keys to values, found the text 'just text'"),
        ("a: 1\n--- \nb: 1", "f.yaml:2:1: a second document starts here; a file holds one"),
        ("a: &x {b: *x}", "f.yaml:1:11: a.b: the alias *x contains itself"),
        ("a: 1e999", "f.yaml:1:4: a: 1e999 is not a finite number"),
        ("a: " + "9" * 5000, "f.yaml:1:4: a: whole numbers go up to 9223372036854775807, found one of 5000 digits"),
        ("a: 0x" + "f" * 99, "f.yaml:1:4: a: whole numbers go up to 9223372036854775807, found one of 396 bits"),
        ("a: {<<: {b: 1}}", "f.yaml:1:5: a.<<: merge keys are not part of YAML 1.2 (write the keys out)"),
        ("{a: 1}: 2", "f.yaml:1:1: a key must be a text"),
        ("~: 2", 'f.yaml:1:1: a key must be a text, found nothing (null) (write "~")'),
        ("!k a: 2", "f.yaml:1:1: the tag !k is not accepted (write a plain key)"),
        ("a: 'x", "f.yaml:1:6: not valid YAML: found unexpected end of stream while scanning a quoted scalar"),
        ("é: \x07", "f.yaml:1:4: not valid YAML: control characters are not allowed"),
    ],
)
def test_a_wrong_text_has_one_located_message(text: str, message: str) -> None:
    assert messages(text) == [message]


def test_nesting_is_bounded_also_through_aliases() -> None:
    lists = "[" * (MAX_DEPTH - 1) + "]" * (MAX_DEPTH - 1)
    assert parse_document(f"a: {lists}", "f.yaml").data["a"]
    assert "nested more than 64 levels deep" in messages(f"a: [{lists}]")[0]
    assert "nested more than 64 levels deep" in messages(f"a: &x {lists}\nb: [[*x]]")[0]
    assert "nested more than 64 levels deep" in messages("[" * 100_000)[0]


def test_alias_expansion_is_bounded() -> None:
    names = "abcdefghijklmnopqrst"
    bomb = "a: &a [1, 1]\n" + "".join(
        f"{name}: &{name} [{', '.join([f'*{before}'] * 2)}]\n" for before, name in pairwise(names)
    )
    assert messages(bomb) == [f"f.yaml:15:12: o.1: the file has more than {MAX_VALUES:,} values, aliases expanded"]


def test_number_of_problems_is_bounded() -> None:
    found = messages("a: .nan\n" * 1000)
    assert len(found) == MAX_PROBLEMS + 1
    assert found[-1] == "f.yaml:101:1: reading stops here, after 200 problems"


def test_long_names_are_cut_in_messages() -> None:
    name = "n" * 5000
    assert all(len(message) < 300 for message in messages(f"{name}: !{name} *{name}\n{name}: .nan\n"))
    assert len(messages(f"a: *{name}")[0]) < 200


def test_number_of_values_is_bounded() -> None:
    assert messages("a: [" + "1," * MAX_VALUES + "]")[0].endswith(f"the file has more than {MAX_VALUES:,} values")


def test_a_file_is_read_with_its_name(tmp_path: Path) -> None:
    path = tmp_path / "w.yaml"
    path.write_bytes(b"\xef\xbb\xbfa: 1\r\nb: 2\r\n")
    document = load_document(path)
    assert (document.name, document.data) == (str(path), {"a": 1, "b": 2})
    assert document.marks[("b",)].line == 2
    assert load_document(str(path), "shown.yaml").name == "shown.yaml"


def failure(source: object, name: str | None = None) -> str:
    with pytest.raises(BadInputError) as caught:
        load_document(source, name)  # type: ignore[arg-type]
    return str(caught.value)


def test_unreadable_files_say_why(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("quickstart.yaml").write_text("a: 1")
    Path("latin.yaml").write_bytes(b"a: 1\nb: \xc3\xa9\xe9\n")
    with Path("large.yaml").open("wb") as file:
        file.truncate(MAX_FILE_BYTES + 1)
    assert failure("quikstart.yaml") == "quikstart.yaml: no such file (did you mean 'quickstart.yaml'?)"
    assert failure("zzz") == "zzz: no such file"
    assert failure("gone/a.yaml") == "gone/a.yaml: no such file (there is no folder 'gone')"
    assert failure("quickstart.yaml/a") == "quickstart.yaml/a: cannot be read: Not a directory"
    assert failure(".") == ".: this is a folder, not a file"
    assert failure("a\0b", "odd") == "odd: cannot be read: embedded null byte"
    assert failure("latin.yaml") == "latin.yaml:2:5: not UTF-8: byte 0xe9 (save the file as UTF-8)"
    assert failure("large.yaml") == "large.yaml: the file is larger than 8 MiB"
    assert failure("/dev/zero") == "/dev/zero: cannot be read: it is a device, not a file"


def test_a_mapping_is_copied_and_has_no_places() -> None:
    source = {"a": (1, 2.5), "b": {"c": None, "d": True}, "e": Path("x.npz")}
    document = load_document(source)
    assert document == Document("<dict>", {"a": [1, 2.5], "b": {"c": None, "d": True}, "e": "x.npz"}, {})
    assert document.problem(("a", 0), "wrong") == Problem("<dict>", 0, 0, "a.0", "wrong")


def test_a_mapping_obeys_the_rules_of_files() -> None:
    assert failure({1: 2, "b": float("nan"), "c": {1, 2}, "d": [10**30]}).splitlines() == [
        "<dict>: a key must be a text, found the number 1",
        "<dict>: b: nan is not a finite number",
        "<dict>: c: a set cannot stand in a file",
        "<dict>: d.0: whole numbers go up to 9223372036854775807, found 1000000000000000000000000000000",
    ]
    recursive: dict[str, object] = {}
    recursive["a"] = recursive
    assert failure(recursive) == "<dict>: a.a.a.a: nested more than 64 levels deep, or recursive"
    assert failure({"a": [0] * MAX_VALUES}) == "<dict>: more than 100,000 values"


def test_numpy_numbers_become_plain_numbers() -> None:
    numpy = pytest.importorskip("numpy")
    data = load_document({"a": numpy.int64(3), "b": numpy.float32(0.5)}).data
    assert data == {"a": 3, "b": 0.5}
    assert [type(value) for value in data.values()] == [int, float]


def test_reading_a_document_imports_neither_pydantic_nor_numpy() -> None:
    code = "import sys, ipusim.files.document; print([m for m in ('pydantic', 'numpy', 'numba') if m in sys.modules])"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "[]"
