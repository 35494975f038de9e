"""Pareto fronts, sensitivities, figures of several workloads, and how they are told."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import ipusim
from ipusim.exploration.metrics import Objective, combine, parse_objective
from ipusim.exploration.pareto import pareto_front
from ipusim.exploration.sensitivity import effect_of
from ipusim.files.wording import FieldError
from ipusim.report.explore import render_exploration
from ipusim.report.explore_plot import plot_exploration


@given(st.integers(1, 4).flatmap(lambda k: st.lists(st.tuples(*[st.integers(0, 6)] * k), min_size=1, max_size=40)))
@settings(max_examples=150, deadline=None)
def test_the_front_is_what_nothing_beats(rows):
    costs = np.array(rows, dtype=np.float64).reshape(len(rows), -1)

    def beaten(one):
        return any(all(a <= b for a, b in zip(other, one, strict=True)) and other != one for other in rows)

    front = pareto_front(costs)
    assert {rows[index] for index in front} == {row for row in rows if not beaten(row)}
    assert len({rows[index] for index in front}) == len(front)
    assert [rows[index] for index in front] == sorted(rows[index] for index in front)
    assert all(index == rows.index(rows[index]) for index in front)


def test_shares_of_an_additive_function_are_those_of_its_parts():
    a, b, c = (grid.ravel() for grid in np.meshgrid(np.arange(10), np.arange(10), np.arange(5), indexing="ij"))
    objective = np.exp(3.0 * a + 1.0 * b)
    effects = {
        name: effect_of(name, values.tolist(), objective, descending=False)
        for name, values in (("a", a), ("b", b), ("c", c))
    }
    assert effects["a"].share == pytest.approx(0.9)
    assert effects["b"].share == pytest.approx(0.1)
    assert effects["c"].share == pytest.approx(0, abs=1e-12)
    assert (effects["a"].best, effects["a"].worst) == ("0", "9")
    assert effects["a"].ratio == pytest.approx(np.exp(27))
    assert effect_of("a", a.tolist(), objective, descending=True).best == "9"


def test_parameters_of_many_values_are_grouped():
    values = np.linspace(1, 2, 200)
    effect = effect_of("x", values.tolist(), values**2, descending=False)
    assert effect.share > 0.95
    assert effect.best.startswith("1 to 1.1")
    noise = np.random.Generator(np.random.PCG64(1)).random(200)
    assert effect_of("x", values.tolist(), noise, descending=False).share < 0.1
    assert effect_of("x", ["a"] * 200, noise, descending=False) is None
    assert effect_of("x", values.tolist(), np.ones(200), descending=False) is None


def test_figures_of_several_workloads():
    one = {"cycles": 100, "seconds": 1.0, "flops": 10**12, "energy_j": 5.0, "peak_seconds": 0.5}
    other = {**one, "cycles": 10, "seconds": 3.0, "energy_j": None}
    chip = {"area_mm2": 400.0, "total_sram_bytes": 1000}
    parts = [
        ({**one, **chip, "max_tile_bytes": 7, "total_bytes": 70}),
        {**other, **chip, "max_tile_bytes": 9, "total_bytes": 60},
    ]
    found = combine([(1.0, parts[0]), (2.0, parts[1])])
    assert found["cycles"] == 120
    assert found["tflops"] == pytest.approx(3 / 7)
    assert found["fraction_of_peak"] == pytest.approx(1.5 / 7)
    assert (found["max_tile_bytes"], found["total_bytes"], found["energy_j"]) == (9, 70, None)
    assert found["tflops_per_w"] is None
    alone = combine([(1.0, parts[0])])
    assert alone["cycles"] == 100
    assert isinstance(alone["cycles"], int)
    assert alone["tflops_per_w"] == pytest.approx(0.2)
    assert alone["power_w"] == 5.0


def test_objectives():
    assert parse_objective("seconds") == Objective("seconds", False)
    assert parse_objective("tflops") == Objective("tflops", True)
    assert parse_objective("area_mm2 : desc") == Objective("area_mm2", True)
    with pytest.raises(FieldError, match="unknown objective"):
        parse_objective("secnds")


def test_answers_follow_the_points(undisturbed):
    explored, _ = undisturbed
    rows = [row for row in explored.rows() if row["status"] == "ok"]
    best = min(rows, key=lambda row: row["cycles"])
    assert explored.top(1)[0]["position"] == best["position"]
    assert explored.best()["cycles:asc"]["figures"]["cycles"] == best["cycles"]
    front = {(point["figures"]["cycles"], point["figures"]["total_bytes"]) for point in explored.pareto()}
    assert front == {
        (row["cycles"], row["total_bytes"])
        for row in rows
        if not any(
            other["cycles"] <= row["cycles"]
            and other["total_bytes"] <= row["total_bytes"]
            and (other["cycles"], other["total_bytes"]) != (row["cycles"], row["total_bytes"])
            for other in rows
        )
    }
    assert explored.price_of_constraints() == []  # what has more cycles is no better in cycles
    most = replace(explored, space=replace(explored.space, objectives=(Objective("cycles", True),)))
    (price,) = most.price_of_constraints()
    assert price["constraint"] == "cycles < 176160"
    assert price["best_without"]["figures"]["cycles"] > most.top(1)[0]["figures"]["cycles"]
    assert explored.sensitivity()["cycles:asc"][0].parameter == "n_tiles"
    assert explored.to_dict()["reasons"][0]["points"] >= 2


def test_of_equally_good_points_the_best_is_on_the_front(small, tmp_path):
    space = {
        **small, "sampler": "grid", "budget": None, "constraints": [], "objectives": ["total_sram_bytes", "cycles"],
        "parameters": {"sync_cycles": [40, 10, 20]},
    }  # fmt: skip
    explored = ipusim.explore(space, store=tmp_path / "store.sqlite", workers=1)
    assert explored.best()["total_sram_bytes:asc"]["parameters"] == {"sync_cycles": 10}
    assert len(explored.pareto()) == 1


def test_the_report_has_80_columns_and_the_picture_is_the_same_each_time(undisturbed):
    document = undisturbed[0].to_dict()
    text = render_exploration(document)
    assert max(map(len, text.splitlines())) <= 80
    for part in (
        "24 of 24 points finished",
        "Pareto front",
        "What decides cycles",
        "Why the others are out",
        "In short",
    ):
        assert part in text
    assert plot_exploration(document, "svg") == plot_exploration(document, "svg")
    assert "Uncertainty: not known, for dense matmul" in " ".join(text.split())
    assert "model error outside: chip, format, ...)" in " ".join(text.split())


def test_every_point_says_how_far_off_it_may_be(undisturbed):
    explored, _ = undisturbed
    document = explored.to_dict()
    found = document["pareto"][0]["uncertainty"]
    assert (found["mean_error"], found["validated_share"], found["kind_error"]) == (None, 0.0, pytest.approx(0.03))
    assert found["outside_words"] == ["chip", "format", "size"]
    assert document["pareto"][0]["workloads"]["wide"]["uncertainty"]["outside_words"] == found["outside_words"]
    assert document["uncertainty"]["points"] == len(document["cloud"]) == len(document["cloud_bands"])
    for row in explored.rows():
        is_simulated = row["cycles"] is not None
        assert (row["model_validated_share"], row["model_mean_error"]) == (0.0 if is_simulated else None, None)
        assert (row["model_outside"] or "").startswith("chip, " if is_simulated else "")


def test_an_unchanged_bow_has_the_error_that_was_measured(tmp_path):
    product = {
        "name": "product",
        "dtype": "float16",
        "tensors": {"w": {"shape": [1024, 1024]}, "x": {"shape": [1024, 64]}},
        "ops": [{"op": "matmul", "inputs": ["w", "x"], "output": "y", "partials": "float16"}],
    }
    space = {"name": "chips", "chip": "bow", "workloads": product, "parameters": {"chip": ["bow", "gc200"]}}
    explored = ipusim.explore({**space, "objectives": ["seconds"]}, store=tmp_path / "store.sqlite", workers=1)
    rows = list(explored.rows())
    assert [row["model_mean_error"] for row in rows] == [0.03, None]
    assert [row["model_worst_error"] for row in rows] == [0.12, None]
    assert [row["model_outside"] for row in rows] == ["", "chip"]
    document = explored.to_dict()
    assert document["cloud_bands"] == ["±3 %", "outside: chip"]
    assert "in 1 of 2 points" in " ".join(render_exploration(document).split())


def test_a_notebook_shows_the_answers(undisturbed):
    shown = undisturbed[0]._repr_mimebundle_()
    assert shown["text/plain"] == render_exploration(undisturbed[0].to_dict())
    assert shown["text/html"] == undisturbed[0]._repr_html_()
    assert shown["text/html"].startswith('<div class="ipusim-exploration"')
    assert "24 of 24 points finished" in shown["text/html"]
