"""Tests for the validation against published measurements, on made-up figures where values matter."""

from __future__ import annotations

import json
import math
from fractions import Fraction
from pathlib import Path

import pytest

from ipusim.chip.load import load_chip
from ipusim.cli.main import main
from ipusim.errors import BadInputError
from ipusim.report.html.validation import render_validation_page
from ipusim.report.validation import render_validation
from ipusim.validation import validate
from ipusim.validation.cases import DYNAMIC, STATIC, Case, Figures, simulate_case
from ipusim.validation.constants import CONSTANTS
from ipusim.validation.errors import Predicted, bias, error_factor, mean_error, right_side
from ipusim.validation.points import Band, Model, Point, Source
from ipusim.validation.registry import sources
from ipusim.validation.result import SourceErrors, Validation
from ipusim.validation.run import held_out, methods_first

BOW = load_chip("bow")
BAND = Band(mean_error=0.1, worst_error=0.2, right_side=1.0)


def source(points=(), quantity="speed-up", band=BAND):
    return Source("made_up", "made up", "nowhere", quantity, "", lambda: tuple(points), band)


def test_errors_by_hand():
    assert mean_error([2.0, 0.5]) == pytest.approx(1.0)
    assert bias([2.0, 0.5]) == pytest.approx(0.0)
    assert bias([4.0, 1.0]) == pytest.approx(1.0)
    assert (error_factor(0.8), error_factor(1.25)) == (1.25, 1.25)
    assert mean_error([]) == bias([]) == 0


def test_sides_count_only_what_is_clearly_on_one():
    points = [Predicted("a", "s", 1.05, 0.5), Predicted("b", "s", 2.0, 1.5), Predicted("c", "s", 0.5, 1.1)]
    assert right_side(points) == 0.5
    assert right_side(points[:1]) is None


@pytest.mark.parametrize(
    ("points", "words"),
    [
        ([Predicted("a", "s", 2.0, 2.1)], []),
        ([Predicted("a", "s", 2.0, 2.3)], ["mean error 15.0%, documented 10%"]),
        ([Predicted("a", "s", 4.0, 5.0), *(Predicted("b", "s", 2.0, 2.0) for _ in range(9))], ["a is off by 25.0%"]),
        ([Predicted("a", "s", 1.11, 0.999)] * 1, ["mean error", "0.0% on the right side"]),
        ([Predicted("a", "s", None, 2.0)], ["disagree on what fits: a"]),
        ([Predicted("a", "s", 2.0, None)], ["disagree on what fits: a"]),
        ([Predicted("a", "s", None, None)], []),
    ],
)
def test_every_band_that_is_left_is_named(points, words):
    errors = SourceErrors(source(band=Band(0.1, 0.2, 0.5)), tuple(points))
    assert len(errors.problems) == len(words)
    assert all(word in problem for word, problem in zip(words, errors.problems, strict=True))
    assert Validation("bow", (), {}, (errors,), ()).passed is not bool(words)


def test_the_readme_lists_every_source_with_its_points():
    text = (Path(__file__).parents[3] / "README.md").read_text(encoding="utf-8")
    rows = [
        [cell.strip(" `") for cell in line.split("|")[1:4]] for line in text.splitlines() if line.startswith("  | `")
    ]
    assert {name: int(points) for name, _, points in rows} == {each.name: len(each.points()) for each in sources()}


def test_held_out_series_do_not_take_part_in_their_fit():
    """Two series that want different values: each is off by what the other one wants."""
    constant = CONSTANTS[0]
    places = {"one": 2, "two": 5}
    cases = {name: Case("dense", "float32", 64, n) for n, name in enumerate(places, 1)}
    figures = {case: Figures(100, 0, {constant.name: tuple(range(100, 118))}) for case in cases.values()}
    points = [
        Point(name, name, 100.0 + places[name], (case,), lambda model, case=case: float(model.cycles(case)))
        for name, case in cases.items()
    ]
    found = held_out(constant, points, Model(BOW, figures))
    assert found.n_series == 2
    assert found.held_out_error == pytest.approx(105 / 102 - 1)
    assert found.packaged == 33.4
    assert found.problems == []


def test_a_constant_changes_only_the_cases_that_know_it():
    constant = CONSTANTS[1]
    known, other = Case(DYNAMIC, "float16", 64, 4), Case(STATIC, "float16", 64, 4)
    figures = {known: Figures(7, 0, {constant.name: (5, 6)}), other: Figures(9, 0)}
    model = Model(BOW, figures, constant, 1)
    assert (model.cycles(known), model.cycles(other)) == (6, 9)


def test_the_benchmark_keeps_float32_copies():
    case = Case(STATIC, "float16", 1024, 64, 16, Fraction(1, 4))
    copies = int(4 * (2 * 1024 * 64 + 1024**2 / 4) / BOW.n_tiles)
    full = BOW.tile_sram_bytes - copies
    assert Model(BOW, {case: Figures(10, full)}).cycles_in_benchmark(case) == 10
    assert Model(BOW, {case: Figures(10, full + 1)}).cycles_in_benchmark(case) is None


def test_cases_are_what_a_user_would_run():
    case = Case(STATIC, "float16", 512, 16, 4, Fraction(1, 4))
    assert case.flops == 2 * 512**2 * 16 / 4
    figures = simulate_case(case, BOW)
    assert figures.cycles > 0
    assert figures.at == {}
    dynamic = simulate_case(Case(DYNAMIC, "float16", 512, 16, 16, Fraction(1, 4)), BOW)
    grid = dynamic.at["exchange_bucket_gap_cycles"]
    assert grid[10] == dynamic.cycles
    assert list(grid) == sorted(grid)


def test_the_packaged_sources_have_all_their_points():
    assert {each.name: len(each.points()) for each in sources()} == {
        "amp_vertex": 64,
        "dense_matmul": 60,
        "dynamic_best": 10,
        "printed_speedups": 8,
        "static_best": 13,
        "static_grid": 225,
        "stencil": 26,
        "tile_kernels": 38,
        "wall_clock": 6,
    }
    assert sum(point.measured is None for each in sources() for point in each.points()) == 6


def test_a_source_without_simulated_products(capsys):
    assert main(["validate", "--only", "amp_vertex", "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert document["schema"] == "ipusim-validation-1"
    assert document["passed"] is True
    (only,) = document["sources"]
    assert only["n_points"] == 64
    ratios = [point["ratio"] for point in only["points"]]
    assert only["mean_error"] == pytest.approx(math.exp(sum(abs(math.log(r)) for r in ratios) / 64) - 1)
    text = render_validation(document, 80, with_points=True)
    assert "Every documented band is kept." in text
    assert max(map(len, text.splitlines())) <= 80


def test_a_wrong_constant_leaves_the_band(capsys):
    assert main(["validate", "--only", "amp_vertex", "--set", "amp_load_bytes_per_cycle=16"]) == 1
    text = capsys.readouterr().out
    assert "Bands that are left" in text
    assert "with amp_load_bytes_per_cycle=16" in text


def test_unknown_sources_are_named():
    with pytest.raises(BadInputError, match=r"there is no source 'dens_matmul' .*dense_matmul"):
        validate(["dens_matmul"])


def test_the_page_needs_nothing_else_and_a_saved_result_gives_the_same(tmp_path, capsys):
    page, saved, again = (tmp_path / name for name in ("page.html", "saved.json", "again.html"))
    assert main(["validate", "--only", "amp_vertex", "--html", str(page), "-o", str(saved)]) == 0
    assert main(["report", str(saved), "-o", str(again)]) == 0
    assert again.read_text() == page.read_text()
    text = page.read_text()
    assert "Every documented band is kept." in text
    assert text.count("<tr><td>amp_vertex</td>") == 64
    assert "http://" not in text.split("<script")[0]
    assert main(["report", str(saved), "--diff", str(saved)]) == 2
    assert "not explorations, trainings and validations" in capsys.readouterr().err


def test_names_on_the_page_are_no_markup():
    validation = validate(["amp_vertex"])
    document = validation.to_dict()
    document["sources"][0]["title"] = "<script>alert(1)</script>"
    document["sources"][0]["problems"] = ["<img src=x>"]
    text = render_validation_page(document)
    assert "<script>alert(1)" not in text
    assert "<img src=x>" not in text
    assert "&lt;img src=x&gt;" in text


def test_processes_start_on_different_methods():
    found = [Case(method, "float16", 64, n) for method in ("dense", STATIC, DYNAMIC) for n in (1, 2, 3)]
    ordered = methods_first([*found, *found])
    assert [case.method for case in ordered[:4]] == ["dense", STATIC, DYNAMIC, "dense"]
    assert sorted(ordered, key=repr) == sorted(found, key=repr)
