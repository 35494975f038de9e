import copy
import json
import re

import pytest
from report_pages import HOSTILE, data_of, own_scripts, parsed

from ipusim.report.html.compare import render_comparison_page, render_comparison_part
from ipusim.report.html.page import MOST_BYTES


def _cell(mode="static", block_size=4, density=0.25, batch=64, **figures):
    cycles = figures.get("cycles", 1000)
    return {
        **{"features": None, "batch": batch, "dtype": "float16", "mode": mode, "block_size": block_size},
        **{
            "density": density,
            "status": "ok",
            "reason": "",
            "cycles": cycles,
            "seconds": 1e-6,
            "speedup": 2000 / cycles,
        },
        "cycles_by_phase": {"compute": cycles - 300, "exchange": 200, "sync": 100},
        **{"flops": 10, "effective_tflops": 2.0, "useful_tflops": 1.0, "energy_j": None, "max_tile_bytes": 4096},
        **{"tile_sram_bytes": 8192, "fits": True, "plan": "p_m 4"},
        **figures,
    }


_NO_FIGURES = {
    **{"status": "infeasible", "reason": "a tile would need 9 KiB", "cycles": None, "seconds": None, "speedup": None},
    "cycles_by_phase": {"compute": None, "exchange": None, "sync": None},
    **{"flops": None, "effective_tflops": None, "useful_tflops": None, "fits": False, "plan": ""},
}


@pytest.fixture
def document():
    even = {"features": None, "batch": 64, "dtype": "float16", "mode": "static", "block_size": 4}
    sentence = "at block size 4, static wins below density 1/3"
    return {
        **{"schema": "ipusim-comparison-1", "workload": "grid", "chip": "bow", "options": {}, "seed": 0},
        **{
            "versions": {"ipusim": "0.1.0"},
            "weights": {"w": [64, 64]},
            "notes": [],
            "interrupted": False,
            "not_run": 0,
        },
        "baselines": [_cell("dense", 1, 1.0, cycles=2000), _cell("dense", 1, 1.0, 128, cycles=4000)],
        "cells": [_cell(), _cell(density=0.5, cycles=3000), _cell(batch=128) | _NO_FIGURES],
        "break_even": [{**even, "outcome": "below", "density": 1 / 3, "sentence": sentence}],
        "summary": [sentence],
    }


def test_page_has_every_cell_without_scripts(document):
    page = render_comparison_page(document)
    text = re.sub(r"<script.*?</script>", "", page, flags=re.DOTALL)
    for word in ("1/3", "0.667x", "2.00x", "does not fit: a tile would need 9 KiB", "batch 128"):
        assert word in text
    assert text.count("data-cell=") == 3


def test_cells_know_their_condition(document):
    data = data_of(render_comparison_page(document))
    assert [cell["condition"] for cell in data["cells"]] == [0, 0, 1]
    assert data["conditions"] == ["float16, batch 64", "float16, batch 128"]
    assert data["break_even"][0]["condition"] == 0


def test_names_become_neither_markup_nor_script(document):
    clean = parsed(render_comparison_page(document))
    hostile = copy.deepcopy(document)
    hostile["workload"] = hostile["chip"] = HOSTILE
    hostile["weights"] = {HOSTILE: [1]}
    hostile["notes"] = [HOSTILE]
    hostile["break_even"][0]["sentence"] = HOSTILE
    for cell in hostile["cells"]:
        cell["plan"] = cell["reason"] = HOSTILE
    hostile["cells"][0]["status"] = "failed"
    page = render_comparison_page(hostile)
    assert sorted(set(parsed(page).tags)) == sorted(set(clean.tags))
    assert "alert" not in own_scripts(page)
    assert data_of(page)["cells"][0]["plan"] == HOSTILE
    assert "<img" not in render_comparison_part(hostile)


def test_page_needs_nothing_else(document):
    page = render_comparison_page(document)
    assert {address[:1] for address in parsed(page).addresses} == {"#", "d"}
    assert len(page.encode()) < MOST_BYTES


def test_energy_is_shown_where_it_is_known(document):
    assert ">energy<" not in render_comparison_page(document)
    document["cells"][0]["energy_j"] = 1e-3
    assert ">energy<" in render_comparison_page(document)


def test_part_for_a_notebook_lists_the_cells(document):
    part = render_comparison_part(document)
    assert "<script" not in part
    assert part.count("<tr>") == 6


def test_same_document_gives_the_same_page(document):
    assert render_comparison_page(json.loads(json.dumps(document))) == render_comparison_page(document)


def test_limits_are_said(document):
    reason = "dynamic matmul was never measured in batches"
    found = {"cells": 2, "validated_cells": 0, "mean_error": None, "worst_error": None, "outside": [reason]}
    document |= {"uncertainty": [{"mode": "dynamic", **found}], "not_modelled": ["hosts"], "assumed_constants": 3}
    page = render_comparison_page(document)
    for word in (f"Uncertainty, dynamic: not known, for {reason}.", "Not modelled: hosts.", "3 assumed constants"):
        assert word in page
