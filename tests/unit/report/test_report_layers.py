"""The operators of a network by layer, with identical layers in one row."""

import re

import pytest

from ipusim.report.html.run import render_run_page
from ipusim.report.insight_words import insight_sentences
from ipusim.report.layers import layer_of, layer_rows
from ipusim.report.terminal import render_run


def _op(name, cycles, flops=10, energy_j=0.5):
    return {
        "name": name,
        "op": "matmul",
        "cycles": cycles,
        "flops": flops,
        "bytes_exchanged": 100,
        "energy_j": energy_j,
        "plan": {},
        "terms": {},
        "imbalance": 0.0,
    }


def _network(layers=4):
    ops = [_op("embeddings.words", 5), _op("embeddings", 5)]
    for layer in range(layers):
        ops += [_op(f"layers.{layer}.attention.query", 20 + layer), _op(f"layers.{layer}.attention.out", 10)]
        ops += [_op(f"layers.{layer}.ffn.up", 30, 1000), _op(f"layers.{layer}.ffn", 40)]
    return [*ops, _op("classifier", 3)]


@pytest.mark.parametrize(
    ("name", "layer"),
    [
        ("layers.3.attention.query", "layers.3"),
        ("stage1.block2.conv1.product", "stage1.block2"),
        ("stage1.block2", "stage1.block2"),
        ("block10.pointwise.product", "block10"),
        ("stem.conv1", "stem"),
        ("classifier", "classifier"),
    ],
)
def test_the_layer_is_in_the_name(name, layer):
    assert layer_of(name) == layer


def test_identical_layers_are_one_row():
    rows = layer_rows(_network())
    assert [(row["name"], row["times"], row["ops"]) for row in rows] == [
        ("embeddings", 1, 2),
        ("layers.0-3", 4, 4),
        ("classifier", 1, 1),
    ]
    row = rows[1]
    assert (row["cycles"], row["flops"], row["bytes_exchanged"], row["energy_j"]) == (406, 4120, 1600, 8.0)
    assert [(part["name"], part["cycles"]) for part in row["parts"]] == [("attention", 126), ("ffn", 280)]
    assert rows[2]["parts"] == []


def test_rows_have_all_that_operators_have():
    ops = _network()
    rows = layer_rows(ops)
    for key in ("cycles", "flops", "bytes_exchanged", "energy_j"):
        assert sum(row[key] for row in rows) == sum(op[key] for op in ops)
        for row in rows:
            assert not row["parts"] or row[key] == sum(part[key] for part in row["parts"])


def test_layers_of_other_sizes_or_out_of_turn_stay_apart():
    ops = _network()
    ops[-3] = _op("layers.3.ffn.up", 30, 999)
    ops += [_op("layers.7.attention.query", 20), _op("layers.7.ffn", 20)]
    assert [row["name"] for row in layer_rows(ops)] == [
        "embeddings",
        "layers.0-2",
        "layers.3",
        "classifier",
        "layers.7",
    ]


def test_an_unknown_figure_makes_the_sum_unknown():
    ops = _network()
    ops[3] = {**ops[3], "energy_j": None}
    rows = layer_rows(ops)
    assert [row["energy_j"] for row in rows] == [1.0, None, 0.5]
    assert [part["energy_j"] for part in rows[1]["parts"]] == [None, 4.0]


def test_operators_without_layers_have_no_rows():
    assert layer_rows([_op("q", 1), _op("k", 2)]) == []


@pytest.fixture
def network(result):
    ops = _network(12)
    cycles = sum(op["cycles"] for op in ops)
    return {**result, "ops": ops, "layers": layer_rows(ops), "cycles": cycles, "seconds": cycles / 1e9, "energy_j": 1.0}


def test_a_network_is_shown_layer_by_layer_in_80_columns(network):
    text = render_run(network, 80)
    assert all(len(line) <= 80 for line in text.splitlines())
    assert re.search(r"^  layers\.0-11 +12 +1,266 +99\.0 % ", text, re.MULTILINE)
    assert re.search(r"^    attention +426 ", text, re.MULTILINE)
    assert "--ops all shows the 51 operators one by one." in text
    assert "layers.0.ffn.up" not in text


def test_every_operator_is_shown_on_demand(network):
    text = render_run(network, 120, every_op=True)
    assert sum(f"layers.{layer}.ffn.up" in text for layer in range(12)) == 12
    assert "further operators" not in text


def test_what_takes_the_memory_is_told_by_layer(network):
    terms = {f"tensors of layers.{layer}.w": 1024 for layer in range(5)} | {"tensors of x": 2048}
    network["infeasible"] = {
        "constraint": "tile_sram_bytes",
        "demand_bytes": 7168,
        "capacity_bytes": 1024,
        "gap_bytes": 6144,
        "tile": 0,
        "terms": terms,
        "levers": [],
    }
    text = render_run(network)
    assert re.search(r"^  tensors of layers\.\*\.w, 5 times  5\.00 KiB\n  tensors of x +2\.00 KiB$", text, re.MULTILINE)


def test_what_takes_most_is_told_for_all_layers_together(network):
    assert insight_sentences(network)[0] == "layers.*.ffn (12 times matmul) take 37.5 % of the cycles."


def test_the_page_has_the_layers_above_the_operators(network):
    page = render_run_page({key: value for key, value in network.items() if key != "profile"})
    assert page.index('id="by-layer"') < page.index('id="ops"')
    assert "<td>layers.0-11</td>" in page
