import math

import pytest

from ipusim.report.numbers import (
    format_bytes,
    format_count,
    format_engineering,
    format_percent,
    format_scaled,
    format_seconds,
)


@pytest.mark.parametrize(
    ("value", "text"),
    [(0, "0 B"), (999, "999 B"), (1000, "0.977 KiB"), (638976, "624 KiB"), (940e6, "896 MiB"), (None, "-")],
)
def test_bytes(value, text):
    assert format_bytes(value) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0, "0 s"),
        (66304 / 1.85e9, "35.8 us"),
        (1.0, "1.00 s"),
        (2.5e-3, "2.50 ms"),
        (1e-12, "1e-12 s"),
        (4000, "4,000 s"),
        (None, "-"),
    ],
)
def test_seconds(value, text):
    assert format_seconds(value) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (3.486e14, "349 TFLOP/s"),
        (87.1e12, "87.1 TFLOP/s"),
        (0.0, "0 FLOP/s"),
        (999.6, "1.00 kFLOP/s"),
        (12, "12.0 FLOP/s"),
    ],
)
def test_scaled(value, text):
    assert format_scaled(value, "FLOP/s") == text


@pytest.mark.parametrize("value", [None, math.nan, math.inf])
def test_scaled_of_what_is_no_number(value):
    assert format_scaled(value, "FLOP/s") == "-"


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.6890, "68.9 %"), (0.0, "0.0 %"), (1e-5, "<0.1 %"), (-1e-5, ">-0.1 %"), (1, "100.0 %"), (None, "-")],
)
def test_percent(value, text):
    assert format_percent(value) == text


def test_count():
    assert format_count(66304) == "66,304"
    assert format_count(None) == "-"


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (1.328e9, "1.328 GHz"),
        (3e-13, "300 fHz"),
        (1.12e-12, "1.12 pHz"),
        (1000.0, "1 kHz"),
        (0.0, "0 Hz"),
        (0.5, "500 mHz"),
    ],
)
def test_engineering(value, text):
    assert format_engineering(value, "Hz") == text
