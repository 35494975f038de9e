import csv
import io
import itertools

import pytest

from ipusim.report.compare import render_comparison
from ipusim.report.compare_csv import comparison_csv, comparison_rows
from ipusim.report.compare_curves import curves
from ipusim.report.compare_plot import plot_comparison
from ipusim.report.compare_words import condition_text, constant_text, density_text, speedup_text, varying

_DENSITIES = (1 / 4, 1 / 8, 1 / 16)


def _cell(condition, mode, size, density, speedup, **changes):
    cycles = None if speedup is None else int(100_000 / speedup)
    shares = {"compute": 0.7, "exchange": 0.25, "sync": 0.05}
    cell = {
        **condition,
        "mode": mode,
        "block_size": size,
        "density": density,
        "status": "infeasible" if speedup is None else "ok",
        "reason": "a tile would need 700 KiB and has 624 KiB" if speedup is None else "",
        "cycles": cycles,
        "seconds": None if cycles is None else cycles / 1.85e9,
        "speedup": speedup,
        "cycles_by_phase": {phase: None if cycles is None else int(share * cycles) for phase, share in shares.items()},
        "flops": 1_000_000,
        "effective_tflops": None if cycles is None else 200.0 * speedup,
        "useful_tflops": None if cycles is None else 200.0 * speedup * density,
        "energy_j": None,
        "max_tile_bytes": 716800 if speedup is None else 204800,
        "tile_sram_bytes": 638976,
        "fits": speedup is not None,
        "plan": f"{mode}_sparse, p_n 16",
    }
    return cell | changes


def _document(batches=(64,), features=(None,)):
    conditions = [
        {"features": feature, "batch": batch, "dtype": "float16"}
        for feature, batch in itertools.product(features, batches)
    ]
    cells = [
        _cell(condition, mode, size, density, 0.02 * size / density / (1 + (mode == "dynamic")))
        for condition in conditions
        for mode, size, density in itertools.product(("static", "dynamic"), (1, 4, 16), _DENSITIES)
    ]
    even = {"outcome": "below", "density": 1 / 9.5, "sentence": "not read"}
    evens = [
        {**condition, "mode": mode, "block_size": size, **even}
        for condition in conditions
        for mode, size in itertools.product(("static", "dynamic"), (1, 4, 16))
    ]
    return {
        "schema": "ipusim-comparison-1",
        "workload": "layer",
        "chip": "bow",
        "options": {},
        "seed": 0,
        "versions": {},
        "weights": {"w": [64, 32]},
        "notes": ["Block size 8 is left out."],
        "interrupted": False,
        "not_run": 0,
        "baselines": [_cell(condition, "dense", 1, 1.0, 1.0) for condition in conditions],
        "cells": cells,
        "break_even": evens,
        "summary": [f"Sentence {number}." for number in range(len(evens))],
    }


@pytest.fixture
def document():
    return _document()


@pytest.fixture
def large():
    return _document(batches=(4, 16, 64, 256), features=(512, 1024, 2048))


def _width(text):
    return max(map(len, text.splitlines()))


@pytest.mark.parametrize("width", [80, 120])
def test_the_report_fits_the_width(document, large, width):
    assert _width(render_comparison(document, width)) <= width
    assert _width(render_comparison(large, width)) <= width


def test_colour_changes_no_word(document, large):
    import re

    for each in (document, large):
        coloured = render_comparison(each, colour=True)
        assert "\x1b[" in coloured
        plain = re.sub(r"\x1b\[[0-9;]*m", "", coloured)
        assert [line.rstrip() for line in plain.splitlines()] == render_comparison(each).splitlines()


def test_what_a_report_says(document):
    text = render_comparison(document)
    assert text.startswith("layer on bow  dense against sparse\nmade sparse: w [64, 32]\nBlock size 8 is left out.\n")
    assert "dense: 100,000 cycles, 54.1 us, 200 TFLOP/s, 200 KiB of 624 KiB on a tile" in text
    assert "  static   1     1/4 1,250,000   0.080x 70/25/ 5    16      4 200 KiB\n" in text
    assert "static, block size 16, density 1/16: static_sparse, p_n 16" in text
    assert "     16   1.28x▓   2.56x█   5.12x█\n" in text
    assert "Sentence 5." in text
    assert "Largest speed-up: 5.12x (static, block size 16, density 1/16, float16, batch\n64).\n" in text


def test_weights_that_the_features_resize_have_no_shape():
    assert "\nmade sparse: w square\n" in render_comparison(_document(features=(512, 1024)))


def test_what_dynamic_cells_cost_beside_their_cycles(document):
    cells = [cell for cell in document["cells"] if cell["mode"] == "dynamic"]
    for number, cell in enumerate(cells):
        cell |= {"propagation_steps": 0, "update_host_s": 1e-3 * (1 + number), "update_upload_s": 2e-6}
    text = " ".join(render_comparison(document).split())
    assert "buckets overflow" not in text
    assert f"takes 1.00 ms to {len(cells)}.00 ms on the host and 2.00 us of upload, beside these cycles." in text
    cells[1]["propagation_steps"], cells[2]["propagation_steps"] = 4, 1200
    text = " ".join(render_comparison(document).split())
    assert f"In 2 of {len(cells)} dynamic cells buckets overflow, and 4 to 1,200 propagation steps pass them on" in text


def test_a_cell_that_does_not_fit(document):
    document["cells"][0] = _cell({"features": None, "batch": 64, "dtype": "float16"}, "static", 1, 1 / 4, None)
    text = render_comparison(document)
    assert "  static   1     1/4    no fit        -                       700 KiB\n" in text
    assert "      1        -  0.160x░  0.320x░\n" in text


def test_other_reasons_are_footnotes(document):
    trouble = {"status": "failed", "cycles": None, "speedup": None}
    document["cells"][0] |= trouble | {"reason": "a defect"}
    document["cells"][1] |= trouble | {"reason": "another", "status": "bad_input"}
    document["cells"][2] |= trouble | {"reason": "a defect"}
    text = render_comparison(document)
    assert text.count("failed [1]") == 2
    assert "bad input [2]" in text
    assert "  [1] a defect\n  [2] another\n" in text


def test_a_baseline_that_does_not_fit(document):
    document["baselines"][0] = _cell({"features": None, "batch": 64, "dtype": "float16"}, "dense", 1, 1.0, None)
    for cell in document["cells"]:
        cell["speedup"] = None
    text = render_comparison(document)
    assert "The dense baseline does not fit: a tile would need 700 KiB and has 624 KiB. No" in text
    assert "No speed-up could be computed." in text
    assert "Speed-up, static" not in text


def test_an_interrupted_comparison(document):
    document |= {"interrupted": True, "not_run": 3}
    for cell in document["cells"][-3:]:
        cell |= {"status": "not_run", "cycles": None, "speedup": None, "max_tile_bytes": None, "reason": "interrupted"}
    text = render_comparison(document)
    assert "INTERRUPTED: 3 of 19 points were not run" in text
    assert text.count("not run ") == 3


def test_energy_is_shown_where_it_is_known(document):
    assert "energy" not in render_comparison(document)
    for cell in document["cells"]:
        cell |= {"energy_j": 0.25, "energy_ratio": None, "power_w": 100.0}
    assert "energy" in render_comparison(document, 100)


def test_energy_against_the_dense_baseline(document):
    for cell in (*document["baselines"], *document["cells"]):
        cell |= {"energy_j": 0.25, "energy_ratio": 0.8, "power_w": 100.0}
    document["cells"][3] |= {"energy_j": 0.0125, "energy_ratio": 16.0}
    narrow, wide = render_comparison(document), render_comparison(document, 100)
    assert "250 mJ (100 W)" in " ".join(narrow.split())
    assert "saving: energy of the dense baseline over that of the cell" in narrow
    assert " 16.0x\n" in narrow
    assert "12.5 mJ" not in narrow
    assert "12.5 mJ" in wide
    n_cells = len(document["cells"])
    assert f"Sparse takes less energy than dense in 1 of {n_cells} cells, at best by 16.0x" in " ".join(wide.split())
    assert max(len(line) for line in narrow.splitlines()) <= 80


def test_many_conditions_are_maps(large):
    text = render_comparison(large)
    assert "Speed-up, static  float16\n" in text
    assert "  features batch    1/4    1/8   1/16    1/4    1/8  1/16\n" in text
    assert "       512     4 0.080░ 0.160░ 0.320░ 0.320░ 0.640▒ 1.28▓\n" in text
    assert "              16 0.080░" in text
    assert "Cells without figures: none." in text
    assert "  features  batch    b 1    b 4   b 16\n" in text
    assert "       512      4  1/9.5  1/9.5  1/9.5\n" in text
    assert "Sentence" not in text


def test_many_conditions_with_trouble(large):
    large["baselines"][0] |= {"cycles": None, "status": "infeasible"}
    for cell in large["cells"][:18]:
        cell["speedup"] = None
    large["cells"][0] |= {"status": "infeasible", "cycles": None}
    for even, outcome in zip(large["break_even"], ("unknown", "always", "never", "uneven"), strict=False):
        even |= {"outcome": outcome, "density": 1 / 7 if outcome == "uneven" else None}
    text = render_comparison(large)
    assert "no speed-ups: float16, 512\nfeatures, batch 4." in text
    assert "Cells without figures: 1 no fit." in text
    assert "       512      4      -  always  never\n" in text
    assert "       512      4   1/7?" in text


def test_curves_pass_through_their_points(document):
    lines = curves(document["cells"], 80).renderable.plain.splitlines()
    top, bottom = lines[0], lines[12]
    assert top.endswith("c")
    assert "d" in bottom[:10]
    assert sum("---" in line for line in lines) == 2
    assert lines[-1] == "a static 1, b static 4, c static 16, d dynamic 1, e dynamic 4, f dynamic 16"


def test_curves_need_two_densities(document):
    assert curves([cell for cell in document["cells"] if cell["density"] == 1 / 4], 80) is None


def test_csv_has_one_row_per_point(document):
    rows = list(csv.DictReader(io.StringIO(comparison_csv(document))))
    assert len(rows) == 19
    assert rows[0]["mode"] == "dense"
    assert (rows[1]["workload"], rows[1]["chip"], rows[1]["density"], rows[1]["features"]) == (
        "layer",
        "bow",
        "0.25",
        "",
    )
    assert rows[1]["plan"] == "static_sparse, p_n 16"
    assert [float(row["cycles"]) for row in rows[1:]] == [cell["cycles"] for cell in document["cells"]]


def test_rows_have_the_phases_as_columns(document):
    row = comparison_rows(document)[1]
    assert "cycles_by_phase" not in row
    assert row["exchange_cycles"] == document["cells"][0]["cycles_by_phase"]["exchange"]


@pytest.mark.parametrize(("kind", "start"), [("svg", b"<?xml"), ("png", b"\x89PNG\r\n")])
def test_pictures(document, kind, start):
    picture = plot_comparison(document, kind)
    assert picture.startswith(start)
    assert plot_comparison(document, kind) == picture


def test_a_picture_of_many_conditions_has_a_panel_per_size(large):
    text = plot_comparison(large, "svg").decode()
    for features in (512, 1024, 2048):
        assert f"float16, {features} features, each at its best batch" in text


def test_a_picture_without_a_single_speedup(document):
    for cell in document["cells"]:
        cell["speedup"] = cell["effective_tflops"] = None
    assert plot_comparison(document, "svg").startswith(b"<?xml")


@pytest.mark.parametrize(
    ("density", "text"), [(1.0, "1"), (1 / 16, "1/16"), (1 / 5.3, "1/5.3"), (0.7, "0.7"), (0.012468, "1/80.2")]
)
def test_densities_in_words(density, text):
    assert density_text(density) == text


@pytest.mark.parametrize(
    ("speedup", "text"),
    [
        (None, "-"),
        (0.0123, "0.012x"),
        (0.9994, "0.999x"),
        (0.9996, "1.00x"),
        (4.9, "4.90x"),
        (35.6, "35.6x"),
        (220, "220x"),
    ],
)
def test_speedups_in_words(speedup, text):
    assert speedup_text(speedup) == text


def test_conditions_in_words(document, large):
    assert condition_text(large["cells"][0]) == "float16, 512 features, batch 4"
    assert (varying(large["cells"]), constant_text(large["cells"])) == (("features", "batch"), "float16")
    assert (varying(document["cells"]), constant_text(document["cells"])) == (("batch",), "float16")


def test_energy_of_the_fastest_cells_by_component(document):
    for cell in (*document["baselines"], *document["cells"]):
        cell |= {"energy_j": 4.0, "energy": {"arithmetic": 3.0, "memory": 1.0, "dram": None}}
    text = " ".join(render_comparison(document).split())
    assert "Energy of the fastest cells" in text
    assert "dense: arithmetic 75, memory 25 %" in text
