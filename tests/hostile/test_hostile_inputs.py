"""Hostile input of every kind is refused with a located message, or gives a result; ``scripts/fuzz.py`` tries more."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from hostile_guard import MAX_BYTES, measured
from hostile_kinds import kinds, outcome, prepare
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

LIMIT_S = 60.0
"""Of processor time, the compilation of formulas that were never needed before included."""

COSTLY = ("onnx", "operators", "saved result", "space", "store")


@pytest.fixture(scope="module")
def _folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    before, folder = Path.cwd(), tmp_path_factory.mktemp("hostile")
    os.chdir(folder)
    prepare(folder)
    yield
    os.chdir(before)


@pytest.mark.usefixtures("_folder")
@pytest.mark.parametrize("name", sorted(kinds()))
def test_nothing_but_refusals_and_results(name: str) -> None:
    kind = kinds()[name]

    @settings(max_examples=15 if name in COSTLY else 30, suppress_health_check=list(HealthCheck))
    @given(kind.inputs)
    def try_one(drawn: object) -> None:
        _, _, peak = measured(lambda: outcome(kind, drawn), LIMIT_S)
        assert peak < MAX_BYTES

    try_one()


def test_a_defect_would_be_seen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("hostile_attempts.load_chip", lambda *_: 1 / 0)
    kind = kinds()["chip"]
    with pytest.raises(ZeroDivisionError):
        outcome(kind, b"name: a\n")


def test_shares_are_of_a_thousand() -> None:
    assert sum(kind.share for kind in kinds().values()) == 1000
    assert all(isinstance(kind.inputs, st.SearchStrategy) for kind in kinds().values())
