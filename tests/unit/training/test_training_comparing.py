"""Several methods and seeds side by side, whatever ends the work."""

from __future__ import annotations

import json
from pathlib import Path
from statistics import fmean, stdev
from typing import Any

import pytest
from small_training import classes_workload, write_classes

from ipusim.cli.main import main
from ipusim.training.comparing import at_cycles, compare_methods, summarise
from ipusim.training.loop import Training


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a file with images of three classes."""
    return write_classes(tmp_path_factory.mktemp("data"))


def run(method: str, seed: int, end: tuple[int, float]) -> dict[str, Any]:
    """Return the document of a training that has taken `end` cycles to an accuracy, in two intervals."""
    cycles, accuracy = end
    cost = {"cycles": cycles // 10, "max_tile_bytes": 100 + seed, "flops": 7, "cycles_by_phase": {"compute": 5}}
    line = {"energy_j": None, "seconds": 1.0, "topology_seconds": 0.5, "connections_changed": 4, "loss": 0.5}
    first = {**line, "step": 5, "cycles": cycles // 2, "accuracy": 0.2, "flops": 50}
    last = {**line, "step": 10, "cycles": cycles, "accuracy": accuracy, "flops": 2 * cycles}
    return {
        "method": method,
        "seed": seed,
        "steps": 10,
        "density": 0.5,
        "topology_share": 0.0,
        "programs": {"step": cost, "forward": cost},
        "trained": last,
        "log": [first, last],
    }


def test_equal_cycles_are_those_of_the_cheapest_training() -> None:
    runs = [run("dense", 0, (400, 0.9)), run("dense", 1, (400, 0.8)), run("static", 0, (250, 0.6))]
    found = summarise(runs)
    assert found["equal_cycles"] == 250
    dense, static = found["methods"]
    assert dense["accuracy"]["mean"] == pytest.approx(0.85)
    assert dense["accuracy"]["std"] == pytest.approx(stdev([0.9, 0.8]))
    # 250 cycles are a quarter of the way from 200 to 400.
    at_equal = [0.2 + 0.25 * 0.7, 0.2 + 0.25 * 0.6]
    assert dense["accuracy_at_equal_cycles"]["values"] == pytest.approx(at_equal)
    assert dense["steps_at_equal_cycles"] == pytest.approx(6.25)
    assert static["accuracy_at_equal_cycles"]["mean"] == static["accuracy"]["mean"] == 0.6
    assert static["accuracy"]["std"] is None
    assert (static["cycles_of_dense"], static["training_flops_of_dense"]) == (250 / 400, 500 / 800)
    assert dense["max_tile_bytes"] == 101
    assert dense["energy_j"] is None


def test_before_the_first_line_nothing_is_known() -> None:
    cheap, dear = run("static", 0, (100, 0.6)), run("set", 0, (1000, 0.9))
    assert at_cycles(dear["log"], "accuracy", 499) is None
    assert at_cycles(dear["log"], "accuracy", 500) == 0.2
    assert at_cycles(dear["log"], "accuracy", 1001) is None
    found = summarise([cheap, dear])
    assert found["methods"][1]["accuracy_at_equal_cycles"] is None
    assert found["methods"][1]["cycles_of_dense"] is None


def test_methods_beside_each_other(data: Path) -> None:
    document = compare_methods(classes_workload(data), ("dense", "static"), 2, steps=4)
    assert [(each["method"], each["seed"]) for each in document["runs"]] == [
        ("dense", 0), ("dense", 1), ("static", 0), ("static", 1)
    ]  # fmt: skip
    assert (document["not_run"], document["interrupted"], document["infeasible"]) == (0, False, {})
    row = document["summary"]["methods"][1]
    ends = [each["trained"] for each in document["runs"][2:]]
    assert row["cycles"] == fmean(each["cycles"] for each in ends)
    assert row["cycles_per_step"] == fmean(each["programs"]["step"]["cycles"] for each in document["runs"][2:])
    assert row["training_flops_of_dense"] < 1


def test_an_interrupted_comparison_keeps_what_is_finished_and_goes_on(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    given = (classes_workload(data), ("static", "rigl"), 2)
    done = compare_methods(*given, folder=tmp_path / "once")
    steps = interrupt_at(27, monkeypatch)
    cut = compare_methods(*given, folder=tmp_path / "twice")
    monkeypatch.undo()
    assert (cut["interrupted"], cut["not_run"]) == (True, 2)
    assert cut["runs"] == done["runs"][:2]
    assert len(steps) == 27
    steps = interrupt_at(1000, monkeypatch)
    resumed = compare_methods(*given, folder=tmp_path / "twice", resume=True)
    # Two trainings of 12 steps are finished, and the third one has nothing yet: its first interval is 4 steps.
    assert len(steps) == 24
    assert resumed == done
    for path in sorted((tmp_path / "once").iterdir()):
        assert path.read_bytes() == (tmp_path / "twice" / path.name).read_bytes()


def interrupt_at(count: int, monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Interrupt at the step `count` of all trainings together; return a list that grows with every step."""
    ordinary, seen = Training._step, []

    def step(training: Training) -> None:
        seen.append(training.state.step)
        if len(seen) == count:
            raise KeyboardInterrupt
        ordinary(training)

    monkeypatch.setattr(Training, "_step", step)
    return seen


def test_a_method_that_does_not_fit_takes_nothing_from_the_others(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "classes.yaml"
    path.write_text(json.dumps(classes_workload(data)))
    command = ["train", str(path), "--compare", "dense,static", "--seeds", "2", "--steps", "2", "--json"]
    page = tmp_path / "page.html"
    assert main([*command, "--set", "tile_sram_bytes=1920", "--set", "sram_element_bytes=64", "--html", str(page)]) == 1
    assert "does not fit" in page.read_text()
    found = capsys.readouterr()
    document = json.loads(found.out)
    assert "does not fit" in found.err
    assert document["not_run"] == 2
    assert [each["method"] for each in document["runs"]] == ["dense", "dense"]
    assert list(document["infeasible"]) == ["static"]


def test_the_command_says_how_to_go_on(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    path, folder = tmp_path / "classes.yaml", tmp_path / "runs"
    path.write_text(json.dumps(classes_workload(data)))
    command = ["train", str(path), "--compare", "dense,static", "--checkpoint", str(folder)]
    interrupt_at(14, monkeypatch)
    assert main(command) == 130
    found = capsys.readouterr()
    assert "dense" in found.out
    said = f"ipusim: interrupted; what was finished is shown; the same command with --resume goes on from {folder}"
    assert found.err.splitlines()[-1] == said
    monkeypatch.undo()
    assert main([*command, "--resume"]) == 0
    assert "static" in capsys.readouterr().out
