import copy
import re

import pytest
from report_pages import HOSTILE, data_of, own_scripts, parsed

from ipusim.report.html.explore import render_exploration_page, render_exploration_part
from ipusim.report.html.page import MOST_BYTES


def _point(position, n_tiles, cycles, total_bytes):
    return {
        **{"position": position, "status": "ok", "reason": "", "workloads": {}},
        "parameters": {"n_tiles": n_tiles, "dtype": "float16"},
        "figures": {"cycles": cycles, "total_bytes": total_bytes},
    }


@pytest.fixture
def document():
    front = [_point(0, 4, 1000, 4096), _point(1, 8, 600, 8192)]
    effect = {"parameter": "n_tiles", "share": 0.9, "best": "8", "worst": "4", "ratio": 1.7}
    return {
        **{"schema": "ipusim-exploration-1", "space": "small", "description": "", "chip": "tiny"},
        "workloads": [{"name": "product", "weight": 1}],
        "options": {"sampler": "grid", "seed": 0, "budget": None},
        **{"parameters": ["n_tiles", "dtype"], "derived": [], "constraints": ["cycles < 2000"]},
        **{"objectives": ["cycles", "total_bytes"], "versions": {"ipusim": "0.1.0"}, "interrupted": False},
        **{"finished": 3, "wanted": 3, "counts": {"ok": 2, "infeasible": 1}, "without_figures": {}},
        "reasons": [{"status": "infeasible", "reason": "a tile would need 9 KiB", "points": 1}],
        **{"pareto": front, "best": {}, "cloud": [[1000, 4096], [600, 8192]]},
        "price_of_constraints": [{"constraint": "cycles < 2000", "best_without": _point(2, 2, 3000, 2048)}],
        "sensitivity": {"cycles": [effect], "total_bytes": []},
        "summary": ["8 tiles are fastest."],
    }


def test_page_has_the_answers_without_scripts(document):
    text = re.sub(r"<script.*?</script>", "", render_exploration_page(document), flags=re.DOTALL)
    for word in ("8 tiles are fastest.", "8.00 KiB", "90.0 %", "a tile would need 9 KiB", "3,000", "cycles &lt; 2000"):
        assert word in text


def test_points_say_how_far_off_they_may_be(document):
    found = {"mean_error": 0.03, "worst_error": 0.12, "validated_share": 1.0, "kind_error": 0.03}
    document["pareto"][0]["uncertainty"] = {**found, "outside": [], "outside_words": []}
    outside = {"outside": ["it was measured on bow alone"], "outside_words": ["chip"]}
    document["pareto"][1]["uncertainty"] = {**found, "mean_error": None, "validated_share": 0.0, **outside}
    document["cloud_bands"] = ["±3 %", "outside: chip"]
    page = render_exploration_page(document)
    data = data_of(page)
    assert [point["band"] for point in data["front"]] == data["bands"] == ["±3 %", "outside: chip"]
    assert 'title="Error of the cycles: not known, for it was measured on bow alone;' in page
    assert '<td data-value="0.03" title="Error of the cycles: 3.0 % on average and 12.0 % at most' in page
    part = render_exploration_part(document)
    assert "<td>±3 %</td>" in part
    assert "<td>outside: chip</td>" in part


def test_points_have_values_and_texts(document):
    first = data_of(render_exploration_page(document))["front"][0]
    assert first["values"] == [4, "float16", 1000, 4096]
    assert first["texts"] == ["4", "float16", "1,000", "4.00 KiB"]


def test_names_become_neither_markup_nor_script(document):
    clean = parsed(render_exploration_page(document))
    hostile = copy.deepcopy(document)
    hostile["space"] = hostile["description"] = hostile["reasons"][0]["reason"] = HOSTILE
    hostile["pareto"][0]["parameters"]["dtype"] = HOSTILE
    hostile["summary"] = [HOSTILE]
    page = render_exploration_page(hostile)
    assert set(parsed(page).tags) == set(clean.tags)
    assert "alert" not in own_scripts(page)


def test_page_needs_nothing_else(document):
    page = render_exploration_page(document)
    assert {address[:1] for address in parsed(page).addresses} == {"#", "d"}
    assert len(page.encode()) < MOST_BYTES


def test_nothing_allowed_is_a_page_too(document):
    page = render_exploration_page({**document, "pareto": [], "cloud": [], "sensitivity": {"cycles": []}})
    assert "What does not run" in page


def test_part_for_a_notebook_has_answers_and_points(document):
    part = render_exploration_part(document)
    assert "<script" not in part
    assert part.count("<tr>") == 3
    for word in ("8 tiles are fastest.", "8.00 KiB", "a tile would need 9 KiB"):
        assert word in part
    document["summary"] = document["reasons"][0]["reason"] = HOSTILE
    document["pareto"][0]["parameters"]["dtype"] = HOSTILE
    assert "<img" not in render_exploration_part(document)


def test_limits_are_said(document):
    found = {"points": 2, "validated_points": 0, "mean_error": None, "worst_error": None, "outside": ["a was not"]}
    limits = {"not_modelled": ["hosts"], "assumed_constants": 3, "uncertainty": found}
    page = render_exploration_page(document | limits)
    for word in (
        "Not modelled: hosts.",
        "3 assumed constants",
        "Uncertainty: not known, for a was not.",
        "dense matmul, m = k",
    ):
        assert word in page
