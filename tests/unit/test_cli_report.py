import json

import pytest

from ipusim.cli.main import main

_WORKLOAD = """\
name: small
chip: tiny
tensors:
  w: {shape: [16, 16]}
  x: {shape: [16, 8]}
ops:
  - {op: matmul, inputs: [w, x], output: y}
"""


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    folder = tmp_path_factory.mktemp("saved")
    (folder / "small.yaml").write_text(_WORKLOAD)
    words = ["--no-execute", "--profile", "-o", str(folder / "r.json"), "--html", str(folder / "r.html")]
    assert main(["run", str(folder / "small.yaml"), *words]) == 0
    return folder


def test_page_of_a_saved_result_is_that_of_the_run(saved, tmp_path):
    path = tmp_path / "again.html"
    assert main(["report", str(saved / "r.json"), "-o", str(path)]) == 0
    assert path.read_text() == (saved / "r.html").read_text()


def test_without_a_file_the_report_goes_to_the_terminal(saved, capsys):
    assert main(["report", str(saved / "r.json")]) == 0
    assert capsys.readouterr().out.startswith("small on tiny")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{", ":1:2: is no JSON"),
        ("\x00", "is no JSON"),
        ("[" * 100_000, "is no JSON"),
        ("[]", "is no result of ipusim run, compare, explore, train or validate"),
        ('{"schema": "other"}', "is no result of ipusim run, compare, explore, train or validate"),
        ('{"schema": ["ipusim-result-1"]}', "is no result of ipusim run, compare, explore, train or validate"),
        ('{"schema": "ipusim-result-1", "workload": "w"}', "memory: is missing"),
    ],
)
def test_what_is_no_result_is_bad_input(tmp_path, capsys, content, message):
    path = tmp_path / "bad.json"
    path.write_text(content)
    assert main(["report", str(path)]) == 2
    assert message in capsys.readouterr().err


def test_damaged_results_are_bad_input(saved, tmp_path, capsys):
    document = json.loads((saved / "r.json").read_text())
    path = tmp_path / "damaged.json"
    path.write_text(json.dumps({**document, "ops": [{"name": 1}], "memory": 3}))
    for further in ([], ["-o", str(tmp_path / "d.html")]):
        assert main(["report", str(path), *further]) == 2
        assert "is damaged" in capsys.readouterr().err


def test_missing_files_and_folders_are_bad_input(saved, tmp_path, capsys):
    assert main(["report", str(tmp_path / "none.json")]) == 2
    assert "cannot be read" in capsys.readouterr().err
    assert main(["report", str(saved / "r.json"), "-o", str(tmp_path / "no" / "r.html")]) == 2
    assert "there is no folder" in capsys.readouterr().err


def test_difference_of_two_results(saved, tmp_path, capsys):
    other = tmp_path / "other.json"
    workload = str(saved / "small.yaml")
    assert main(["run", workload, "--no-execute", "-o", str(other), "--set", "sync_cycles=77"]) == 0
    assert main(["report", "--diff", str(saved / "r.json"), str(other)]) == 0
    out = capsys.readouterr().out
    assert "constants.sync_cycles" in out
    assert "slower" in out
    page = tmp_path / "d.html"
    assert main(["report", "--diff", str(saved / "r.json"), str(other), "-o", str(page)]) == 0
    assert "constants.sync_cycles" in page.read_text()


def test_all_files_that_are_missing_are_named(tmp_path, capsys):
    assert main(["report", "--diff", str(tmp_path / "a.json"), str(tmp_path / "b.json")]) == 2
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 2
    assert all(f"{name}.json: cannot be read" in " ".join(lines) for name in "ab")


def test_results_of_different_kinds_have_no_difference(saved, tmp_path, capsys):
    keys = ("workload", "chip", "options", "seed", "versions", "baselines", "cells", "break_even", "summary")
    other = tmp_path / "comparison.json"
    other.write_text(json.dumps({"schema": "ipusim-comparison-1", **dict.fromkeys(keys, "")}))
    assert main(["report", "--diff", str(saved / "r.json"), str(other)]) == 2
    assert "is another kind of result" in capsys.readouterr().err
