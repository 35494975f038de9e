import copy
import json
import re
from html.parser import HTMLParser

import pytest

import ipusim
from ipusim.report.html.page import MOST_BYTES, embedded_json
from ipusim.report.html.run import render_run_page, render_run_part

HOSTILE = "</script><script>alert(1)</script><img src=x onerror=alert(2)>&amp;{{ 7*7 }}%{x}\u2028'\""


class _Tags(HTMLParser):
    def __init__(self):
        super().__init__()
        self.tags = []
        self.addresses = []

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.addresses += [value for name, value in attrs if name in ("src", "href", "srcset", "action")]
        assert not [name for name, _ in attrs if name.startswith("on")]


def _parsed(page):
    parser = _Tags()
    parser.feed(page)
    return parser


def data_of(page):
    return json.loads(re.search(r'<script type="application/json" id="data">(.*?)</script>', page, re.DOTALL)[1])


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
    assert "<img" not in page.replace(_plotly_of(page), "")
    assert _parsed(page).tags.count("script") == _parsed(render_run_page(result)).tags.count("script")
    assert data_of(page)["ops"][0]["name"] == HOSTILE
    assert "alert" not in "".join(re.findall(r"<script>(.*?)</script>", page, re.DOTALL)).replace(_plotly_of(page), "")
    assert "49" not in re.findall(r"<title>(.*?)</title>", page)[0]


def _plotly_of(page):
    return max(re.findall(r"<script>(.*?)</script>", page, re.DOTALL), key=len)


def test_page_needs_nothing_else(result):
    page = render_run_page(result)
    assert {address[:1] for address in _parsed(page).addresses} == {"#", "d"}
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
