import json

import pytest

from ipusim.chip.load import chip_names
from ipusim.cli.main import main


def test_list(capsys):
    assert main(["chips"]) == 0
    out = capsys.readouterr().out
    assert all(name in out for name in chip_names())
    assert "\x1b" not in out


def test_list_as_json(capsys):
    assert main(["chips", "--json"]) == 0
    chips = json.loads(capsys.readouterr().out)["chips"]
    assert [chip["name"] for chip in chips] == list(chip_names())
    assert all(chip["derived"]["peak_flops"] for chip in chips)


def test_show(capsys):
    assert main(["chips", "show", "tiny"]) == 0
    assert "  n_tiles " in capsys.readouterr().out


def test_show_with_changes_as_json(capsys):
    assert main(["chips", "show", "tiny", "--json", "--set", "n_tiles=8", "--set", "clock_hz=2 GHz"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert document["constants"]["n_tiles"]["value"] == 8
    assert document["constants"]["clock_hz"]["value"] == 2e9


def test_show_a_file_of_the_user(tmp_path, capsys):
    path = tmp_path / "mine.yaml"
    path.write_text("extends: tiny\nn_tiles: 16\n")
    assert main(["chips", "show", str(path)]) == 0
    out = capsys.readouterr().out
    assert out.startswith("mine")
    assert "16 tiles" in out


@pytest.mark.parametrize("suffix", ["txt", "json"])
def test_show_into_a_file(suffix, tmp_path, capsys):
    path = tmp_path / f"chip.{suffix}"
    assert main(["chips", "show", "tiny", "-o", str(path)]) == 0
    assert capsys.readouterr().out == ""
    text = path.read_text()
    assert (json.loads(text)["name"] == "tiny") if suffix == "json" else text.startswith("tiny")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["chips", "show", "bwo"], "did you mean 'bow'?"),
        (["chips", "show"], "NAME"),
        (["chips", "show", "tiny", "--set", "n_tile=8"], "n_tiles"),
        (["chips", "show", "missing.yaml"], "missing.yaml"),
        (["chips", "show", "tiny", "--set", "n_tiles"], "--set n_tiles: expected key.path=value"),
    ],
)
def test_what_is_wrong_is_said(arguments, message, capsys):
    assert main(arguments) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert message in captured.err
