import copy
import json

import pytest
from report_pages import HOSTILE, data_of, own_scripts, parsed

from ipusim.report.diff import diff_results, differences
from ipusim.report.diff_terminal import figure_text, render_diff, setting_text
from ipusim.report.html.diff import render_diff_page


@pytest.fixture
def pair(result):
    before = {**result, "constants": {"n_tiles": 1472, "amp_modes": [{"units": 16}, {"units": 8}]}}
    after = copy.deepcopy(before)
    after["cycles"] = 50_000
    after["ops"][0] |= {"cycles": 40_000, "plan": {**after["ops"][0]["plan"], "partition": {"p_m": 46}}}
    after["ops"][1]["cycles"] = 3000
    after["constants"] = {"n_tiles": 2944, "amp_modes": [{"units": 16}, {"units": 16}]}
    return before, after


def test_what_got_faster_and_slower(pair):
    diff = diff_results(*pair)
    verdicts = {part["name"]: (part["verdict"], part["change"]) for part in diff["parts"]}
    before = pair[0]["ops"]
    assert verdicts[before[0]["name"]] == ("faster", 40_000 - before[0]["cycles"])
    assert verdicts[before[1]["name"]] == ("slower", 3000 - before[1]["cycles"])
    assert diff["parts"][0]["plans"][1].startswith("dense, p_m 46")
    assert diff["parts"][1]["plans"] is None
    assert diff["summary"][0] == "The second takes 24.6 % fewer cycles."
    assert diff["summary"][-1].startswith(f"1 of {len(before)} plans differ, and 2 constants")


def test_constants_are_named_where_they_differ(pair):
    settings = diff_results(*pair)["settings"]
    assert ["constants.n_tiles", 1472, 2944] in settings
    assert ["constants.amp_modes[1].units", 8, 16] in settings
    assert len(settings) == 2


def test_operators_of_one_result_alone(pair):
    before, after = pair
    after["ops"][1]["name"] = "other"
    verdicts = {part["name"]: part["verdict"] for part in diff_results(before, after)["parts"]}
    assert (verdicts["z"], verdicts["other"]) == ("gone", "new")


def test_the_same_result_differs_in_nothing(result):
    diff = diff_results(result, result)
    assert {part["verdict"] for part in diff["parts"]} == {"same"}
    assert diff["settings"] == []
    assert "as many cycles" in diff["summary"][0]
    assert "The same workload" in render_diff_page(diff)


def test_a_result_that_does_not_fit_has_no_cycles(pair):
    before, after = pair
    after |= {"cycles": None, "seconds": None, "cycles_by_phase": dict.fromkeys(before["cycles_by_phase"])}
    for op in after["ops"]:
        op["cycles"] = None
    diff = diff_results(before, after)
    assert {part["verdict"] for part in diff["parts"]} == {"gone"}
    assert "takes" not in diff["summary"][0]
    assert render_diff(diff)


def test_comparisons_differ_by_cell():
    cell = {"features": None, "batch": 8, "dtype": "float16", "mode": "static", "block_size": 4, "density": 0.25}
    before = {
        **{"schema": "ipusim-comparison-1", "workload": "w", "chip": "c", "seed": 0, "options": {}, "versions": {}},
        "baselines": [{**cell, "mode": "dense", "cycles": 100, "plan": "a"}],
        "cells": [{**cell, "cycles": 50, "plan": "b"}],
    }
    after = copy.deepcopy(before)
    after["cells"][0] |= {"cycles": 40, "plan": "c"}
    diff = diff_results(before, after)
    assert diff["parts"][0]["name"] == "float16, batch 8, static, block size 4, density 1/4"
    assert (diff["parts"][0]["verdict"], diff["parts"][0]["ratio"]) == ("faster", 0.8)


def test_text_fits_eighty_columns(pair):
    lines = render_diff(diff_results(*pair)).splitlines()
    assert max(len(line) for line in lines) <= 80
    assert any("constants.n_tiles" in line and "2944" in line for line in lines)


def test_page_is_escaped_and_complete(pair):
    before, after = pair
    clean = parsed(render_diff_page(diff_results(before, after)))
    after["workload"] = after["ops"][0]["name"] = HOSTILE
    after["constants"]["n_tiles"] = HOSTILE
    page = render_diff_page(diff_results(before, after))
    assert set(parsed(page).tags) == set(clean.tags)
    assert "alert" not in own_scripts(page)
    assert HOSTILE in [part["name"] for part in data_of(page)["parts"]]
    assert {address[:1] for address in parsed(page).addresses} == {"#", "d"}


def test_differences_go_into_lists_of_equal_length_only():
    assert list(differences("a", {"b": [1, 2]}, {"b": [1, 3]})) == [["a.b[1]", 2, 3]]
    assert list(differences("a", [1], [1, 2])) == [["a", [1], [1, 2]]]
    assert list(differences("a", {"b": 1}, {})) == [["a.b", 1, None]]


def test_difference_is_plain(pair):
    diff = diff_results(*pair)
    assert json.loads(json.dumps(diff)) == diff


@pytest.mark.parametrize(
    ("name", "value", "text"),
    [("energy_j", 5.884e-7, "588 nJ"), ("power_w", 0.02519, "25.2 mW"), ("tflops", 0.01131, "11.3 GFLOP/s")],
)
def test_figures_have_units(name, value, text):
    assert figure_text(name, value) == text


def test_lists_of_settings_are_words():
    assert (setting_text([]), setting_text(["a=1", "b=2"]), setting_text(3)) == ("none", "a=1, b=2", "3")
