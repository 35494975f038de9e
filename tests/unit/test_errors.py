"""What errors say."""

from __future__ import annotations

from ipusim.errors import BadInputError, Problem


def problems(count: int) -> list[Problem]:
    return [Problem("f.csv", number + 1, 1, "", "wrong") for number in range(count)]


def test_all_problems_are_told() -> None:
    assert str(BadInputError(problems(3))).splitlines() == [f"f.csv:{number}:1: wrong" for number in (1, 2, 3)]


def test_of_thousands_the_first_and_how_many_there_are() -> None:
    told = str(BadInputError(problems(5000))).splitlines()
    assert len(told) == 201
    assert told[199:] == ["f.csv:200:1: wrong", "f.csv: only 200 of 5,000 problems are shown"]


def test_a_message_does_not_fill_the_screen() -> None:
    told = str(Problem("f.yaml", 1, 2, "ops.0.axes", f"axes {[55] * 5000} do not exist", "leave them out"))
    assert len(told) < 2100
    assert told.startswith("f.yaml:1:2: ops.0.axes: axes [55, 55,")
    assert told.endswith("55, 55] do not exist (leave them out)")
