import copy
import json
import re

import pytest
from report_pages import HOSTILE, data_of, own_scripts, parsed

import ipusim
from ipusim.report.html.page import MOST_BYTES, embedded_json
from ipusim.report.html.run import render_run_page, render_run_part


@pytest.fixture(scope="module")
def result():
    layer = {
        "name": "layer",
        "chip": "tiny",
        "tensors": {"w": {"shape": [16, 32]}, "x": {"shape": [32, 8]}},
        "ops": [
            {"op": "matmul", "name": "product", "inputs": ["w", "x"], "output": "p"},
            {"op": "relu", "name": "active", "inputs": ["p"], "output": "y"},
        ],
    }
    return ipusim.simulate(layer, execute=True).to_dict(profile=True)


@pytest.fixture
def hostile(result):
    document = copy.deepcopy(result)
    document["workload"] = document["chip"] = HOSTILE
    for op in document["ops"]:
        op["name"] = op["op"] = HOSTILE
        op["terms"] = {HOSTILE: 1}
        op["plan"] = {"strategy": HOSTILE}
    document["profile"]["supersteps"]["name"] = [HOSTILE] * len(document["profile"]["supersteps"]["name"])
    document["profile"]["memory"]["contents"] = [[HOSTILE, HOSTILE, 0, 9, 5]]
    document["options"]["settings"] = [HOSTILE]
    document["insights"] = [{"change": HOSTILE, "cycles": 1, "relative": -0.5}]
    document["not_modelled"] = [HOSTILE]
    document["versions"] = {"ipusim": HOSTILE, HOSTILE: HOSTILE}
    return document


def test_page_shows_the_figures_without_scripts(result):
    page = render_run_page(result)
    text = re.sub(r"<script.*?</script>", "", page, flags=re.DOTALL)
    for word in (f"{result['cycles']:,}", "product", "Not modelled", "product/multiply", "Passed"):
        assert word in text


def test_names_become_neither_markup_nor_script(hostile, result):
    page = render_run_page(hostile)
    assert sorted(set(parsed(page).tags)) == sorted(set(parsed(render_run_page(result)).tags))
    assert "alert" not in own_scripts(page)
    assert data_of(page)["ops"][0]["name"] == HOSTILE
    assert "{{ 7*7 }}" in re.search(r"<title>(.*?)</title>", page, re.DOTALL)[1]


def test_page_needs_nothing_else(result):
    page = render_run_page(result)
    assert {address[:1] for address in parsed(page).addresses} == {"#", "d"}
    style = re.search(r"<style>(.*?)</style>", page, re.DOTALL)[1]
    assert "url(" not in style
    assert "@import" not in style
    assert "default-src 'none'" in page
    assert len(page.encode()) < MOST_BYTES


def test_part_for_a_notebook_is_escaped(hostile):
    part = render_run_part(hostile)
    assert "<script" not in part
    assert "<img" not in part
    assert f"{hostile['cycles']:,}" in part


def test_without_profile_the_page_says_how_to_get_it(result):
    lean = {key: value for key, value in result.items() if key != "profile"}
    page = render_run_page(lean)
    assert "ipusim run --profile" in page
    assert "<script" not in page
    assert f"{result['cycles']:,}" in page


def test_what_does_not_fit_says_why():
    document = ipusim.simulate("dense/too-large", execute=False).to_dict(profile=True)
    page = render_run_page(document)
    assert "Does not fit" in page
    assert document["infeasible"]["levers"][0].split("=")[0] in page
    assert "Does not fit" in render_run_part(document)


def test_same_result_gives_the_same_page(result):
    saved = json.loads(json.dumps(result))
    assert render_run_page(saved) == render_run_page(result)


def test_embedded_json_is_json_without_markup():
    text = embedded_json({"a": HOSTILE, "b": float("nan")})
    assert not set("<>&") & set(text)
    assert json.loads(text) == {"a": HOSTILE, "b": None}
