"""The pages of the packaged workloads in a real browser: nothing complains, plots are there, clicks and searches work.

Pictures of some, wide and narrow, light and dark, are left in ``.screenshots``.
"""

import pytest
from browser import NARROW, WIDE
from report_pages import HOSTILE

import ipusim
from ipusim.files.packaged import packaged_names
from ipusim.report.html.run import render_run_page

RUN_PLOTS = {"map", "by-tile", "by-step", "roof", "pairs"}
FIRST = ("quickstart", "dense/tiny", "dense/too-large", "networks/encoder-layer", "sparse/matrix-market", "hpc/spmv")
"""One of every family; the others are slow."""
KEPT = ("quickstart", "dense/too-large")
"""Looked at wide and narrow, with pictures."""


@pytest.fixture(scope="module")
def quickstart(tmp_path_factory):
    path = tmp_path_factory.mktemp("pages") / "quickstart.html"
    path.write_text(ipusim.simulate("quickstart", explain=False).to_html())
    return path


@pytest.mark.parametrize(
    "name",
    [pytest.param(name, marks=[] if name in FIRST else pytest.mark.slow) for name in packaged_names("workloads")],
)
def test_the_page_of_every_example_loads(browser, tmp_path, name):
    run = ipusim.simulate(name, explain=False)
    path = tmp_path / "page.html"
    path.write_text(run.to_html())
    widths = (NARROW, WIDE) if name in KEPT else (WIDE,)
    assert browser.look(path, name, name in KEPT, widths) == (set() if run.infeasible else RUN_PLOTS)


def test_a_search_finds_and_shows_a_superstep(browser, quickstart):
    browser.open(quickstart)
    browser.type("#find", "multiply")
    assert browser.run("return document.getElementById('found').textContent").startswith("1 supersteps")
    browser.type("#find", "\ue007")
    assert "product/multiply" in browser.run("return document.getElementById('superstep').textContent")
    assert browser.wait_for("document.getElementById('tile-name').textContent.includes('product/multiply')")


def test_a_click_on_the_timeline_chooses_and_keys_zoom(browser, quickstart):
    browser.open(quickstart)
    browser.click("#lanes", 0.4, 0.45)
    assert "product/multiply" in browser.run("return document.getElementById('superstep').textContent")
    whole = browser.run("return lanes.to - lanes.from")
    browser.type("#lanes", "+")
    assert browser.run("return lanes.to - lanes.from") < whole
    browser.type("#lanes", "0")
    assert browser.run("return lanes.to - lanes.from") == whole


def test_a_click_on_the_map_chooses_a_tile(browser, quickstart):
    browser.open(quickstart)
    browser.click("#map .nsewdrag", 0.52, 0.52)
    assert browser.wait_for("document.getElementById('tile').value !== '0'")
    chosen = browser.run("return document.getElementById('tile').value")
    assert browser.wait_for(f"document.getElementById('tile-name').textContent.startsWith('Tile {chosen},')")


def test_a_click_on_the_liveness_shows_what_is_held_then(browser, quickstart):
    browser.open(quickstart)
    last = browser.run("return data.profile.supersteps.name.length")
    browser.click("#by-step .nsewdrag", 0.99, 0.95)
    assert browser.wait_for(f"document.getElementById('held-title').textContent.includes('in superstep {last},')")


def test_tables_sort_and_filter(browser, quickstart):
    browser.open(quickstart)
    row = "[...document.querySelectorAll('#ops tbody tr:not([hidden])')]"
    values = f"return {row}.map((row) => Number(row.cells[2].dataset.value))"
    before = browser.run(values)
    browser.click("#ops thead th:nth-child(3) button")
    assert browser.run(values) == sorted(before, reverse=True)
    browser.click("#ops thead th:nth-child(3) button")
    assert browser.run(values) == sorted(before) != before
    browser.type('input[data-table="ops"]', "relu")
    assert browser.run(f"return {row}.map((row) => row.cells[0].textContent)") == ["y"]


def test_hostile_names_run_nothing(browser, tmp_path):
    document = ipusim.simulate("dense/tiny").to_dict(profile=True)
    document["workload"] = HOSTILE
    for op in document["ops"]:
        op["name"] = op["op"] = HOSTILE
    document["profile"]["supersteps"]["name"] = [HOSTILE] * len(document["profile"]["supersteps"]["name"])
    path = tmp_path / "page.html"
    path.write_text(render_run_page(document))
    assert browser.look(path, "hostile") == RUN_PLOTS
    assert browser.run("return document.querySelectorAll('img').length") == 0
    assert HOSTILE in browser.run("return document.getElementById('superstep').textContent")
