"""A corpus of wrong workload files: each is answered with exactly the messages beside it."""

from __future__ import annotations

from pathlib import Path

import pytest

from ipusim.errors import BadInputError
from ipusim.frontends.build import build_graph
from ipusim.frontends.workload import load_workload

FOLDER = Path(__file__).parents[2] / "data" / "bad" / "workloads"
NAMES = sorted(path.stem for path in FOLDER.glob("*.yaml"))


def test_corpus_is_complete() -> None:
    assert len(NAMES) >= 45
    assert sorted(path.stem for path in FOLDER.glob("*.expected")) == NAMES


@pytest.mark.parametrize("name", NAMES)
def test_messages(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(FOLDER)
    with pytest.raises(BadInputError) as caught:
        build_graph(load_workload(Path(f"{name}.yaml")))
    assert f"{caught.value}\n" == Path(f"{name}.expected").read_text(encoding="utf-8")


@pytest.mark.parametrize("name", NAMES)
def test_every_problem_has_a_place(name: str) -> None:
    with pytest.raises(BadInputError) as caught:
        build_graph(load_workload(FOLDER / f"{name}.yaml"))
    for problem in caught.value.problems:
        assert problem.line > 0
        assert problem.column > 0
        assert problem.message
