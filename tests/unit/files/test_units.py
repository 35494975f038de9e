"""Quantities with units, fractions, and their JSON Schema."""

from __future__ import annotations

import contextlib
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, Field

from ipusim.files.schema import model_schema
from ipusim.files.units import (
    BYTE_UNITS,
    HERTZ_UNITS,
    Bytes,
    Count,
    Density,
    Flag,
    Hertz,
    Number,
    parse_bytes,
    parse_count,
    parse_density,
    parse_flag,
    parse_hertz,
    parse_number,
)
from ipusim.files.wording import FieldError

BYTES = "units of bytes: B, kB, MB, GB, TB, KiB, MiB, GiB or TiB"
HERTZ = "units of frequency: Hz, kHz, MHz or GHz"


@pytest.mark.parametrize(
    ("value", "expected"),
    [(1, 1.0), (0.25, 0.25), ("1/16", 0.0625), (" 1 / 4 ", 0.25), ("3/3", 1.0), ("1/3", 1 / 3), (1e-9, 1e-9)],
)
def test_density(value: object, expected: float) -> None:
    assert parse_density(value) == expected


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (0, "a density is above 0 and at most 1, found 0"),
        (-0.5, "a density is above 0 and at most 1, found -0.5"),
        (1.5, "a density is above 0 and at most 1, found 1.5"),
        ("17/16", "a density is above 0 and at most 1, found 17/16"),
        ("0/16", "a density is above 0 and at most 1, found 0/16"),
        ("1/0", "the fraction 1/0 divides by zero"),
        ("-1/4", "expected a number or a fraction, found the text '-1/4'"),
        ("25%", "expected a number or a fraction, found the text '25%'"),
        ("1//4", "expected a number or a fraction, found the text '1//4'"),
        (True, "expected a number, found true"),
        ([0.5], "expected a number, found a list"),
        (float("nan"), "nan is not a finite number"),
    ],
)
def test_wrong_density(value: object, message: str) -> None:
    with pytest.raises(FieldError) as caught:
        parse_density(value)
    assert caught.value.message == message


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (0, 0),
        (638976, 638976),
        (1e6, 1_000_000),
        ("624 KiB", 638976),
        ("624KiB", 638976),
        ("900 MB", 900_000_000),
        ("1.5 KiB", 1536),
        ("1e3 B", 1000),
        ("+2 TiB", 2**41),
        (".5 MiB", 2**19),
    ],
)
def test_bytes(value: object, expected: int) -> None:
    parsed = parse_bytes(value)
    assert parsed == expected
    assert type(parsed) is int


@pytest.mark.parametrize(
    ("value", "message", "hint"),
    [
        ("1.85 GHz", "GHz is a unit of frequency; this field takes bytes", BYTES),
        ("624 KB", "unknown unit 'KB'", "did you mean 'KiB'?"),
        ("624 kib", "unknown unit 'kib'", "did you mean 'KiB'?"),
        ("64 gb", "unknown unit 'gb'", "did you mean 'GB'?"),
        ("64 k", "unknown unit 'k'", "did you mean 'kB'?"),
        ("64 Kibble", "unknown unit 'Kibble'", BYTES),
        (
            "64",
            "the text '64' has no unit",
            "add one of B, kB, MB, GB, TB, KiB, MiB, GiB or TiB, or write it without quotes",
        ),
        ("lots", "expected a number with a unit, found the text 'lots'", BYTES),
        ("", "expected a number with a unit, found the text ''", BYTES),
        ("0.3 KiB", "0.3 KiB is not a whole number of bytes", ""),
        ("-1 KiB", "must not be negative, found -1 KiB", ""),
        ("1e99 B", "1e99 B is out of range", ""),
        (-1, "must not be negative, found -1", ""),
        (0.5, "expected a whole number, found the number 0.5", ""),
        (True, "expected a whole number, found true", ""),
        (None, "expected a whole number, found nothing (null)", ""),
    ],
)
def test_wrong_bytes(value: object, message: str, hint: str) -> None:
    with pytest.raises(FieldError) as caught:
        parse_bytes(value)
    assert (caught.value.message, caught.value.hint) == (message, hint)


def test_hertz() -> None:
    assert parse_hertz("1.85 GHz") == 1.85e9
    assert parse_hertz("1325 MHz") == 1.325e9
    assert parse_hertz(1850000000) == 1.85e9


@pytest.mark.parametrize(
    ("value", "message", "hint"),
    [
        ("1.85 GHZ", "unknown unit 'GHZ'", "did you mean 'GHz'?"),
        ("624 KiB", "KiB is a unit of bytes; this field takes a frequency", HERTZ),
        ("1.85", "the text '1.85' has no unit", "add one of Hz, kHz, MHz or GHz, or write it without quotes"),
        ("1 2 GHz", "expected a number with a unit, found the text '1 2 GHz'", HERTZ),
        (float("inf"), "inf is not a finite number", ""),
    ],
)
def test_wrong_hertz(value: object, message: str, hint: str) -> None:
    with pytest.raises(FieldError) as caught:
        parse_hertz(value)
    assert (caught.value.message, caught.value.hint) == (message, hint)


def test_plain_numbers_counts_and_flags() -> None:
    assert parse_number(3) == 3.0
    assert parse_count(1e6) == 10**6
    assert parse_flag(False) is False
    for parse, value in (
        (parse_number, "3"),
        (parse_count, "3"),
        (parse_count, 1.5),
        (parse_flag, 1),
        (parse_flag, "no"),
    ):
        with pytest.raises(FieldError):
            parse(value)


@given(st.integers(0, 10**9), st.sampled_from(sorted(BYTE_UNITS)))
def test_bytes_with_a_unit_are_exact(count: int, unit: str) -> None:
    assert parse_bytes(f"{count} {unit}") == count * BYTE_UNITS[unit]


@given(st.text(max_size=30))
def test_any_text_is_a_quantity_or_refused(text: str) -> None:
    for parse in (parse_density, parse_bytes, parse_hertz):
        with contextlib.suppress(FieldError):
            assert parse(text) >= 0


class Model(BaseModel):
    density: Density
    size: Bytes = Field(gt=0)
    clock: Hertz | None = None
    count: Count = Field(ge=1, le=9)
    ratio: Number = Field(gt=0)
    table: dict[str, Number] = {}
    flag: Flag = False


def test_schema_says_what_is_accepted() -> None:
    schema = model_schema(Model)
    number, text = schema["properties"]["density"]["anyOf"]
    assert number == {"type": "number", "exclusiveMinimum": 0, "maximum": 1}
    assert text["type"] == "string"
    assert re.search(text["pattern"], "1/16")
    assert not re.search(text["pattern"], "1.5/16")
    assert schema["properties"]["count"] == {"type": "integer", "minimum": 1, "maximum": 9}
    assert schema["properties"]["ratio"] == {"type": "number", "exclusiveMinimum": 0}
    assert schema["properties"]["flag"] == {"type": "boolean", "default": False}
    assert schema["required"] == ["density", "size", "count", "ratio"]


@pytest.mark.parametrize(("field", "units"), [("size", BYTE_UNITS), ("clock", HERTZ_UNITS)])
def test_schema_patterns_agree_with_the_parsers(field: str, units: dict[str, int]) -> None:
    options = model_schema(Model)["properties"][field]["anyOf"]
    pattern = next(option["pattern"] for option in options if option.get("type") == "string")
    parse = parse_bytes if field == "size" else parse_hertz
    for text in ("12 {}", "1.5{}", " +2e3  {} ", ".5 {}", "-1 {}", "1 {}x", "{}", "1e {}", "5"):
        for unit in units:
            quantity = text.format(unit)
            accepted = True
            try:
                parse(quantity)
            except FieldError as error:
                accepted = "whole number of bytes" in error.message
            assert bool(re.search(pattern, quantity)) == accepted, quantity
