"""Expressions of space files: what they say, and that no text makes them do anything else or take long."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ipusim.exploration.expressions import Expression, parse_expression
from ipusim.files.wording import FieldError


def value(text, **names):
    return parse_expression(text).evaluate(names.__getitem__)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("900 MiB / n_tiles", 900 * 2**20 / 1472),
        ("1.5GHz", 1.5e9),
        ("2 * (n_tiles + 3) // 4", 737),
        ("n_tiles * 16 KiB <= 1 GiB", True),
        ("n_tiles > 1000 and not n_tiles > 2000", True),
        ("16 KiB * floor(700 KiB / 16 KiB)", 43 * 16384),
        ("round_down(700 KiB, 16 KiB)", 43 * 16384),
        ("min(4, n_tiles) if n_tiles > 8 else 1", 4),
        ("5 ms < 1 s", True),
        ("1e3 MB", 10**9),
        ("2 ** 10 % 1000", 24),
        ("1 < 2 < 3", True),
        ("300 W", 300),
        ("-3", -3),
    ],
)
def test_values(text, expected):
    assert value(text, n_tiles=1472) == pytest.approx(expected)


def test_names_and_conditions_are_known():
    parsed = parse_expression("workload.tensors.w.sparsity.density * n_tiles <= max(n_tiles, other)")
    assert parsed.names == ("workload.tensors.w.sparsity.density", "n_tiles", "other")
    assert parsed.is_condition
    assert parse_expression("not a").is_condition
    assert not parse_expression("a + 1").is_condition


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("900 MiBB / n", "unknown unit 'MiBB'"),
        ("900 KB", "unknown unit 'KB'"),
        ("sqr(3)", "unknown function 'sqr'"),
        ("", "is not an expression"),
        ("1 +", "is not an expression"),
        ("__import__('os').system('true')", "cannot hold"),
        ("(lambda: 1)()", "cannot hold"),
        ("[1, 2]", "cannot hold"),
        ("a[0]", "cannot hold"),
        ("a @ b", "cannot hold"),
        ("max(1, key=2)", "cannot hold"),
        ("f'{a}'", "cannot hold"),
        ("...", "cannot hold"),
        ("1j", "unknown unit 'j'"),
        ("9" * 100, "too large"),
        ("(" * 240 + "1" + ")" * 240, "is not an expression"),
        ("+".join("a" * 150), "too many parts"),
        ("a" * 501, "at most 500 characters"),
    ],
)
def test_what_is_refused(text, message):
    with pytest.raises(FieldError, match=message.replace("(", r"\(")):
        parse_expression(text)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("1 / (n - n)", "divides by zero"),
        ("9 ** 9 ** 9", "out of range"),
        ("10 ** 64 * 10 ** 64", "out of range"),
        ("1e308 * 10", "out of range"),
        ("(0 - 2) ** 0.5", "out of range"),
        ("sqrt(0 - n)", "out of range"),
        ("n * 'ab'", "mixes numbers and texts"),
        ("n < 'ab'", "mixes numbers and texts"),
    ],
)
def test_what_has_no_value(text, message):
    with pytest.raises(FieldError, match=message):
        value(text, n=3)


@given(st.text(alphabet="n0123456789.*/+-%()<>=!,'e KMiBGHz_andortifelsex", max_size=60))
@settings(max_examples=300, deadline=None)
def test_any_text_ends_in_a_value_or_in_a_field_error(text):
    try:
        parsed = parse_expression(text)
        assert isinstance(parsed, Expression)
        parsed.evaluate(dict.fromkeys(parsed.names, 3).__getitem__)
    except FieldError:
        pass
