"""Every wrong chip file of the corpus is answered with exactly its expected messages."""

from __future__ import annotations

from pathlib import Path

import pytest

from ipusim.chip.load import load_chip
from ipusim.errors import BadInputError

FOLDER = Path(__file__).parents[2] / "data" / "bad" / "chips"


def test_the_corpus_is_there() -> None:
    names = {path.stem for path in FOLDER.glob("*.yaml")}
    assert len(names) >= 40
    assert names == {path.stem for path in FOLDER.glob("*.expected")}


@pytest.mark.parametrize("name", sorted(path.name for path in FOLDER.glob("*.yaml")))
def test_a_wrong_file_has_its_messages(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(FOLDER)
    with pytest.raises(BadInputError) as caught:
        load_chip(name)
    assert f"{caught.value}\n" == Path(name).with_suffix(".expected").read_text()
