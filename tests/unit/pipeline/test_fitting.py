"""The search for levers by itself, with programs that the test invents: what is tried, taken, and left out again."""

from __future__ import annotations

from dataclasses import dataclass, replace
from types import SimpleNamespace
from typing import Any

import pytest

from ipusim.pipeline import fitting
from ipusim.pipeline.choice import Choice, Lever
from ipusim.pipeline.fitting import MOST_TRIALS, fit

OUTLINE = Lever("outline", ("program",), 10)
RECOMPUTE = Lever("recompute", ("a",), 20)
TEMPORARIES = Lever("temporaries", ("op",), 30, bound=64)
STREAM = Lever("stream", ("w",), 40)
TAKEN = {
    OUTLINE: lambda choice: replace(choice, outlined=True),
    RECOMPUTE: lambda choice: replace(choice, recomputed={**choice.recomputed, "a": ("late",)}),
    TEMPORARIES: lambda choice: replace(choice, temporaries={**choice.temporaries, "op": 64}),
    STREAM: lambda choice: replace(choice, streamed=choice.streamed | {"w"}),
}


@dataclass(frozen=True)
class Invented:
    """A program of some size on a chip with 100 bytes a tile."""

    choice: Choice
    demand: int
    levers_taken: tuple[Lever, ...] = ()

    chip = SimpleNamespace(tile_sram_bytes=100)

    @property
    def memory(self) -> Any:
        return SimpleNamespace(max_tile_bytes=self.demand)

    @property
    def fits(self) -> bool:
        return self.demand <= 100


def held(choice: Choice) -> list[bool]:
    return [choice.outlined, "a" in choice.recomputed, "op" in choice.temporaries, "w" in choice.streamed]


def search(monkeypatch: pytest.MonkeyPatch, start: int, saved: list[int]) -> tuple[Invented, list[Choice]]:
    """Fit a program of `start` bytes; outlining, recomputing, smaller temporaries and streaming save `saved` bytes."""
    tried: list[Choice] = []

    def compile_with(_before: Invented, choice: Choice) -> Invented:
        tried.append(choice)
        return Invented(choice, start - sum(n for n, taken in zip(saved, held(choice), strict=True) if taken))

    def candidates(compiled: Invented, _kinds: object) -> list[Any]:
        left = zip(TAKEN, held(compiled.choice), strict=True)
        return [
            SimpleNamespace(lever=lever, choice=TAKEN[lever](compiled.choice)) for lever, taken in left if not taken
        ]

    monkeypatch.setattr(fitting, "candidates", candidates)
    return fit(Invented(Choice(), start), compile_with), tried  # type: ignore[arg-type,return-value]


def test_the_lever_with_the_fewest_cycles_for_a_byte_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    # 10 cycles for 1 byte, then 20 for 20 of the 30 that are too much: 30 cycles for all of them are not cheaper
    found, tried = search(monkeypatch, 130, [1, 20, 25, 30])
    # 10 bytes are left: 30 cycles for them are cheaper than 10 for one, and 40 are dearer
    assert found.levers_taken == (RECOMPUTE, TEMPORARIES)
    assert held(found.choice) == [False, True, True, False]
    # and once more without the first of them
    assert len(tried) == 2 + 2 + 1


@pytest.mark.parametrize(
    ("saved", "kept"),
    [
        # 29 bytes are too much; the first two are just enough
        ([15, 14, 40, 40], [True, True, False, False]),
        # taken in their order; the third makes up for the second, or for the first
        ([9, 17, 26, 29], [True, False, True, False]),
        ([9, 15, 16, 29], [False, True, True, False]),
        # the third is the cheapest for a byte, and then the fourth is enough by itself
        ([1, 1, 22, 29], [False, False, False, True]),
        # the fourth leaves one byte for the first
        ([1, 1, 10, 28], [True, False, False, True]),
    ],
)
def test_no_lever_is_left_that_is_not_needed(
    monkeypatch: pytest.MonkeyPatch, saved: list[int], kept: list[bool]
) -> None:
    found, _ = search(monkeypatch, 129, saved)
    assert found.fits
    assert held(found.choice) == kept
    for lever in found.levers_taken:
        without = sum(n for n, taken, each in zip(saved, kept, TAKEN, strict=True) if taken and each != lever)
        assert 129 - without > 100
    assert [lever in found.levers_taken for lever in TAKEN] == kept


def test_what_never_fits_stays_as_it_was(monkeypatch: pytest.MonkeyPatch) -> None:
    found, tried = search(monkeypatch, 500, [10, 10, 10, 10])
    assert found == Invented(Choice(), 500)
    assert len(tried) <= MOST_TRIALS


def test_the_search_ends_after_so_many_programs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fitting, "MOST_TRIALS", 2)
    found, tried = search(monkeypatch, 129, [1, 2, 3, 4])
    assert not found.fits
    assert found.levers_taken == ()
    assert len(tried) == 2
