"""Every space that comes with ipusim can be explored, and the generations of chips are as far apart as published."""

import json
from pathlib import Path

import pytest

import ipusim
from ipusim.cli.main import main
from ipusim.exploration.load import load_space
from ipusim.files.packaged import packaged_names


@pytest.mark.parametrize("name", packaged_names("spaces"))
def test_loads_and_says_what_it_asks(name):
    space = load_space(name)
    assert space.name == name
    assert space.description
    assert space.grid_size is None or space.grid_size <= 10_000
    assert f"spaces/{name}" not in packaged_names("workloads")


def test_generations_of_chips_are_as_far_apart_as_their_peaks(tmp_path):
    explored = ipusim.explore("generations", store=tmp_path / "store.sqlite", workers=1)
    rows = {row["chip"]: row for row in explored.rows()}
    rate = {chip: row["flops.large"] / row["seconds.large"] for chip, row in rows.items()}
    # The clocks are 1.325 and 1.85 GHz; measured, a Mk2 is about 30 % slower than a Bow.
    assert rate["bow"] / rate["gc200"] == pytest.approx(1.85 / 1.325)
    assert 1 - rate["gc200"] / rate["bow"] == pytest.approx(0.30, abs=0.03)
    # The published peaks are 124.5 and 250 TFLOP/s.
    assert rate["gc200"] / rate["gc2"] == pytest.approx(250 / 124.5, rel=0.1)


def test_the_command_line_shows_saves_and_resumes(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    files = ["--csv", "rows.csv", "--export", "rows.json", "--plot", "front.svg"]
    assert main(["explore", "generations", "--workers", "1", "--top", "2", *files]) == 0
    out = capsys.readouterr().out
    assert all(len(line) <= 80 for line in out.splitlines())
    assert "3 of 3 points finished: 3 run and allowed" in out
    assert "The least time" in out
    assert Path("rows.csv").read_text().count("\n") == 4
    assert [row["chip"] for row in json.loads(Path("rows.json").read_text())] == ["gc2", "gc200", "bow"]
    assert Path("front.svg").read_text().startswith("<?xml")
    assert main(["explore", "generations", "--status"]) == 0
    assert "generations: 3 of 3 points finished (100.0 %)" in capsys.readouterr().out
    assert main(["explore", "generations", "--saved", "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert document["schema"] == "ipusim-exploration-1"
    assert [point["parameters"]["chip"] for point in document["pareto"]] == ["bow"]


def test_exit_codes_of_the_command_line(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert main(["explore", "generatoins"]) == 2
    assert "did you mean 'generations'?" in capsys.readouterr().err
    assert main(["explore", "generations", "--status"]) == 2
    assert "there are no results yet" in capsys.readouterr().err
    assert main(["explore", "generations", "--export", "rows.xls", "--top", "0", "--plot", "no/x.png"]) == 2
    err = capsys.readouterr().err
    assert err.count("\n") == 3
    assert "'rows.xls' does not end in .csv or .json or .parquet" in err
    small = ["--set", "chip=tiny", "--set", "parameters={n_tiles: [4]}", "--workers", "1"]
    assert main(["explore", "generations", *small]) == 1
    assert "1 too large for the memory" in capsys.readouterr().out


def test_parquet(tmp_path, monkeypatch):
    parquet = pytest.importorskip("pyarrow.parquet")
    monkeypatch.chdir(tmp_path)
    assert main(["explore", "generations", "--workers", "1", "--export", "rows.parquet", "--json", "-o", "x.json"]) == 0
    table = parquet.read_table("rows.parquet").to_pylist()
    rows = list(ipusim.explore("generations", workers=1).rows())
    assert table == rows


def test_a_stacked_dram_is_never_slower_than_one_beside_the_chip(tmp_path):
    explored = ipusim.explore("stacked-dram", store=tmp_path / "store.sqlite", workers=1)
    rows = {(row["dram_bytes_per_s"], row["dram_stacked"]): row["seconds"] for row in explored.rows()}
    rates = sorted({rate for rate, _ in rows})
    assert len(rows) == 2 * len(rates) == 12
    assert all(rows[rate, True] < rows[rate, False] for rate in rates)
    for stacked in (False, True):
        seconds = [rows[rate, stacked] for rate in rates]
        assert seconds == sorted(seconds, reverse=True)
