"""The pages of comparisons, explorations, trainings, validations and differences in a real browser."""

import pytest
from report_pages import HOSTILE
from small_training import classes_workload, write_classes

import ipusim
from ipusim.report.diff import diff_results
from ipusim.report.html.compare import render_comparison_page
from ipusim.report.html.diff import render_diff_page
from ipusim.report.html.train import render_training_page
from ipusim.training.comparing import compare_methods

COMPARISON_PLOTS = {"by-density", "by-shape", "lines", "phases"}
EXPLORATION_PLOTS = {"scatter", "lines", "bars"}
TRAINING_PLOTS = {"by-step", "by-flops", "by-cycles", "loss", "changed", "phases", "memory", "run"}
PRODUCT = {
    "name": "product",
    "chip": "tiny",
    "tensors": {"w": {"shape": [64, 64]}, "x": {"shape": [64, 32]}},
    "ops": [{"op": "matmul", "inputs": ["w", "x"], "output": "y"}],
}


@pytest.fixture(scope="module")
def methods(tmp_path_factory):
    workload = classes_workload(write_classes(tmp_path_factory.mktemp("data")), log_every=2)
    return compare_methods(workload, ("dense", "set"), 2, steps=6)


def _rows(browser, table):
    return browser.run(
        f"return [...document.querySelectorAll('#{table} tbody tr:not([hidden])')].map(e => e.innerText)"
    )


def test_a_comparison_loads_and_a_click_shows_a_cell(browser, tmp_path):
    swept = {"densities": "1/4,1/16", "block_sizes": "4,16", "modes": "static", "batches": "32,64"}
    comparison = ipusim.compare(PRODUCT, chip="bow", **swept, features="256,512", workers=1)
    path = tmp_path / "page.html"
    path.write_text(render_comparison_page(comparison.to_dict()))
    assert browser.look(path, "comparison", keep=True) == COMPARISON_PLOTS
    before = browser.run("return document.getElementById('cell-name').textContent")
    browser.click("#by-density .nsewdrag", 0.75, 0.25)
    assert browser.wait_for(f"document.getElementById('cell-name').textContent !== {before!r}")
    assert browser.run("return document.getElementById('cell-name').textContent").startswith("static, block size 16")
    browser.click('#all tr[data-cell="2"] td')
    assert browser.wait_for("document.querySelector('tr.chosen').dataset.cell === '2'")
    browser.type('input[data-table="all"]', "dense batch 64")
    assert len(_rows(browser, "all")) == 2
    assert browser.complaints() == []


def test_an_exploration_loads_with_other_axes_and_a_search(browser, tmp_path):
    space = {
        **{"name": "small", "chip": "tiny", "workloads": [PRODUCT], "objectives": ["cycles", "total_sram_bytes"]},
        "parameters": {"n_tiles": [2, 4, 8], "sync_cycles": [10, 40], "tile_sram_bytes": ["8 KiB", "32 KiB"]},
    }
    explored = ipusim.explore(space, store=tmp_path / "store.sqlite", workers=1)
    path = tmp_path / "page.html"
    path.write_text(explored.to_html())
    assert browser.look(path, "exploration", keep=True) == EXPLORATION_PLOTS
    browser.run("const s = document.getElementById('across'); s.value = '1'; s.dispatchEvent(new Event('change'))")
    assert browser.wait_for("document.getElementById('scatter').layout.xaxis.title.text === 'SRAM in bytes'")
    browser.type('input[data-table="table"]', "256 KiB")
    assert len(_rows(browser, "table")) == 1 < len(explored.pareto())
    assert browser.complaints() == []


def test_a_training_loads_and_a_click_shows_it(browser, methods, tmp_path):
    path = tmp_path / "page.html"
    path.write_text(methods.to_html())
    assert browser.look(path, "training", keep=True) == TRAINING_PLOTS
    assert browser.run("return document.getElementById('run-name').textContent").startswith("dense, seed 0")
    browser.click('#all tr[data-run="3"] td')
    assert browser.wait_for("document.getElementById('run-name').textContent.startsWith('set, seed 1: ')")
    curve = "document.getElementById('by-step').data.find((trace) => trace.name === 'set')"
    shown = browser.run(f"return {curve}.y")
    ends = [run["trained"]["accuracy"] for run in methods["runs"] if run["method"] == "set"]
    assert shown[-1] == pytest.approx(sum(ends) / 2)
    browser.type('input[data-table="lines"]', "set 1 6")
    assert len(_rows(browser, "lines")) >= 1
    assert all(row.startswith("set") for row in _rows(browser, "lines"))
    assert browser.complaints() == []


def test_hostile_names_of_a_training_run_nothing(browser, methods, tmp_path):
    document = {**methods, "workload": HOSTILE, "methods": [HOSTILE]}
    document["runs"] = [{**run, "method": HOSTILE, "layer_densities": {HOSTILE: 0.5}} for run in methods["runs"]]
    path = tmp_path / "page.html"
    path.write_text(render_training_page(document))
    assert browser.look(path, "hostile-training") == TRAINING_PLOTS
    assert browser.run("return document.querySelectorAll('img').length") == 0
    assert HOSTILE in browser.run("return document.getElementById('run-name').textContent")


def test_a_validation_loads_with_another_source(browser, tmp_path):
    path = tmp_path / "page.html"
    path.write_text(ipusim.validate(["amp_vertex", "tile_kernels"], workers=1).to_html())
    assert browser.look(path, "validation", keep=True) == {"scatter"}
    first = browser.run("return document.getElementById('scatter').data.at(-1).x.length")
    browser.run("const s = document.getElementById('source'); s.value = '1'; s.dispatchEvent(new Event('change'))")
    assert browser.wait_for(f"document.getElementById('scatter').data.at(-1).x.length !== {first}")
    browser.type('input[data-table="table"]', "amp_vertex")
    assert len(_rows(browser, "table")) == 64
    assert browser.complaints() == []


def test_a_difference_loads_and_its_table_sorts(browser, tmp_path):
    layer = {**PRODUCT, "ops": [*PRODUCT["ops"], {"op": "relu", "inputs": ["y"], "output": "z"}]}
    before, after = (
        ipusim.simulate(layer, explain=False, settings=settings) for settings in ((), ("worker_contexts=3",))
    )
    path = tmp_path / "page.html"
    path.write_text(render_diff_page(diff_results(before.to_dict(), after.to_dict())))
    assert browser.look(path, "difference", keep=True) == {"changes"}
    browser.click("#changed thead th:nth-child(1) button")
    assert [row.split()[0] for row in _rows(browser, "changed")] == ["y", "z"]
    browser.type('input[data-table="changed"]', "z")
    assert [row.split()[0] for row in _rows(browser, "changed")] == ["z"]
    assert browser.complaints() == []
