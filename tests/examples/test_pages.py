"""The pages of the examples in a real browser: nothing complains, plots are there, clicks, keys and searches work.

Pictures of some, light and dark, are left in ``.screenshots``.
"""

from pathlib import Path

import pytest
from browser import ABSENT, CHROMIUM, DRIVER, Browser
from report_pages import HOSTILE

import ipusim
from ipusim.files.packaged import packaged_names
from ipusim.report.html.compare import render_comparison_page
from ipusim.report.html.run import render_run_page

pytestmark = pytest.mark.skipif(CHROMIUM is None or DRIVER is None, reason=ABSENT)

SCREENSHOTS = Path(__file__).parents[2] / ".screenshots"
RUN_PLOTS = {"map", "by-tile", "by-step", "roof", "pairs"}
COMPARISON_PLOTS = {"by-density", "by-shape", "lines", "phases"}
EXPLORATION_PLOTS = {"scatter", "lines", "bars"}
FIRST = ("quickstart", "dense/tiny", "dense/too-large")


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    opened = Browser(tmp_path_factory.mktemp("profile"))
    yield opened
    opened.close()


@pytest.fixture(scope="module")
def quickstart(tmp_path_factory):
    path = tmp_path_factory.mktemp("pages") / "quickstart.html"
    path.write_text(ipusim.simulate("quickstart", explain=False).to_html())
    return path


@pytest.fixture(scope="module")
def comparison():
    small = {
        "name": "grid",
        "chip": "bow",
        "tensors": {"w": {"shape": [256, 256]}, "x": {"shape": [256, 32]}},
        "ops": [{"op": "matmul", "inputs": ["w", "x"], "output": "y"}],
    }
    swept = {"densities": "1/4,1/16", "block_sizes": "4,16", "modes": "static", "batches": "32,64"}
    return ipusim.compare(small, **swept, features="256,512", workers=1)


def _plots(browser):
    drawn = browser.run(
        "return [...document.querySelectorAll('.plot')].filter(e => e.querySelector('.main-svg')).map(e => e.id)"
    )
    return set(drawn)


def _show(browser, path, name, pictures=True):
    """Open a page, take its pictures, and return the plots that are on it."""
    browser.complaints()
    browser.requests()
    browser.prefer("light")
    browser.open(path)
    assert browser.complaints() == []
    assert browser.requests() == []
    SCREENSHOTS.mkdir(exist_ok=True)
    for scheme in ("light", "dark") if pictures else ():
        browser.prefer(scheme)
        browser.screenshot(SCREENSHOTS / f"{name.replace('/', '-')}-{scheme}.png")
    assert browser.complaints() == []
    return _plots(browser)


@pytest.mark.parametrize(
    "name",
    [pytest.param(name, marks=[] if name in FIRST else pytest.mark.slow) for name in packaged_names("workloads")],
)
def test_the_page_of_every_example_loads(browser, tmp_path, name):
    run = ipusim.simulate(name, explain=False)
    path = tmp_path / "page.html"
    path.write_text(run.to_html())
    assert _show(browser, path, name, name in FIRST) == (set() if run.infeasible else RUN_PLOTS)


def test_the_page_of_a_comparison_loads_and_a_click_shows_a_cell(browser, comparison, tmp_path):
    path = tmp_path / "page.html"
    path.write_text(render_comparison_page(comparison.to_dict()))
    assert _show(browser, path, "comparison") == COMPARISON_PLOTS
    before = browser.run("return document.getElementById('cell-name').textContent")
    browser.click("#by-density .nsewdrag", 0.75, 0.25)
    assert browser.wait_for(f"document.getElementById('cell-name').textContent !== {before!r}")
    assert browser.run("return document.getElementById('cell-name').textContent").startswith("static, block size 16")
    browser.click('#all tr[data-cell="2"] td')
    assert browser.wait_for("document.querySelector('tr.chosen').dataset.cell === '2'")


def test_the_page_of_an_exploration_loads_with_other_axes(browser, tmp_path):
    product = {
        "name": "product",
        "tensors": {"w": {"shape": [64, 64]}, "x": {"shape": [64, 32]}},
        "ops": [{"op": "matmul", "inputs": ["w", "x"], "output": "y"}],
    }
    space = {
        **{"name": "small", "chip": "tiny", "workloads": [product], "objectives": ["cycles", "total_sram_bytes"]},
        "parameters": {"n_tiles": [2, 4, 8], "sync_cycles": [10, 40], "tile_sram_bytes": ["8 KiB", "32 KiB"]},
    }
    path = tmp_path / "page.html"
    path.write_text(ipusim.explore(space, store=tmp_path / "store.sqlite", workers=1).to_html())
    assert _show(browser, path, "exploration") == EXPLORATION_PLOTS
    browser.run("const s = document.getElementById('across'); s.value = '1'; s.dispatchEvent(new Event('change'))")
    assert browser.wait_for("document.getElementById('scatter').layout.xaxis.title.text === 'SRAM'")
    assert browser.complaints() == []


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
    assert _show(browser, path, "hostile") == RUN_PLOTS
    assert browser.run("return document.querySelectorAll('img').length") == 0
    assert HOSTILE in browser.run("return document.getElementById('superstep').textContent")
