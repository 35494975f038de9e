"""Choices between ops: they are never worse than those of every op on its own, and cost what the search says."""

import pytest

from ipusim.chip.load import load_chip
from ipusim.engine.timing import time_program
from ipusim.layout.candidates import units_of
from ipusim.layout.choose import lay_out
from ipusim.layout.search import choices_of, search_choices
from ipusim.layout.summary import rearrangements, summarise
from ipusim.layout.trial import Trials
from ipusim.lower.lowering import lower_graph
from ipusim.pipeline.compiling import compile_workload
from ipusim.pipeline.executing import execute
from ipusim.plan.layout import GREEDY, Choice, Layout
from ipusim.plan.problem import PlanOptions

SMALL = load_chip("bow", n_tiles=64)

GOLDEN = (24_585, 18_877)
"""Cycles of the layer on 64 tiles, every op on its own and all together."""


def encoder(sequence=32, hidden=64, heads=4, ffn=128):
    """Return a transformer's encoder layer."""
    vectors = {"b_q": hidden, "b_k": hidden, "b_v": hidden, "b_up": ffn, "scale": hidden, "shift": hidden}
    matrices = dict.fromkeys(("w_q", "w_k", "w_v", "w_o"), (hidden, hidden))
    matrices |= {"x": (sequence, hidden), "w_up": (hidden, ffn), "w_down": (ffn, hidden)}
    ops = []
    for name in "qkv":
        ops += [
            {"op": "matmul", "inputs": ["x", f"w_{name}"], "output": f"{name}_product"},
            {"op": "add", "inputs": [f"{name}_product", f"b_{name}"], "output": f"{name}_rows"},
            {
                "op": "reshape",
                "inputs": [f"{name}_rows"],
                "output": f"{name}_split",
                "shape": [sequence, heads, hidden // heads],
            },
            {"op": "transpose", "inputs": [f"{name}_split"], "output": name, "axes": [1, 0, 2]},
        ]
    ops += [
        {"op": "attention", "inputs": ["q", "k", "v"], "output": "context"},
        {"op": "transpose", "inputs": ["context"], "output": "rows", "axes": [1, 0, 2]},
        {"op": "reshape", "inputs": ["rows"], "output": "joined", "shape": [sequence, hidden]},
        {"op": "matmul", "inputs": ["joined", "w_o"], "output": "attended"},
        {"op": "add", "inputs": ["x", "attended"], "output": "residual"},
        {"op": "layer_norm", "inputs": ["residual", "scale", "shift"], "output": "normal"},
        {"op": "matmul", "inputs": ["normal", "w_up"], "output": "wide"},
        {"op": "add", "inputs": ["wide", "b_up"], "output": "up"},
        {"op": "gelu", "inputs": ["up"], "output": "active"},
        {"op": "matmul", "inputs": ["active", "w_down"], "output": "down"},
        {"op": "add", "inputs": ["normal", "down"], "output": "y"},
    ]
    tensors = {name: {"shape": list(shape)} for name, shape in matrices.items()}
    tensors |= {name: {"shape": [extent]} for name, extent in vectors.items()}
    return {"name": "encoder", "tensors": tensors, "ops": ops, "outputs": ["y"], "compile": {"layout": "network"}}


@pytest.fixture(scope="module")
def compiled():
    """Return the layer, laid out for the network."""
    return compile_workload(encoder(), SMALL)


@pytest.fixture(scope="module")
def alone():
    """Return the layer with every op on its own."""
    return compile_workload({**encoder(), "compile": {"layout": "greedy"}}, SMALL)


def test_the_network_is_quicker_than_every_op_on_its_own(compiled, alone):
    greedy, network = (time_program(each.program, SMALL).cycles for each in (alone, compiled))
    assert compiled.layout.greedy_cycles == greedy
    assert compiled.layout.cycles == network
    assert (greedy, network) == GOLDEN
    assert alone.layout == GREEDY


def test_every_value_is_right_and_every_operand_is_where_it_is_read(compiled):
    check, _ = execute(compiled, True, 1, lambda _text: None)
    assert check["passed"]
    assert check["checked_fraction"] == 1.0


def test_trials_cost_what_the_program_costs(alone):
    graph, plans = alone.graph, alone.plans
    units = units_of(graph, plans, SMALL, PlanOptions())
    best = search_choices(graph, units, Trials(graph, plans, SMALL))[0]
    choices = choices_of(best)
    assert any(choice.together for choice in choices.values())
    assert any(choice.pick for choice in choices.values())
    assert best.cycles == time_program(lower_graph(graph, plans, SMALL, Layout(choices)), SMALL).cycles


def test_products_of_one_operand_run_beside_each_other(compiled):
    together = {name: choice.together for name, choice in compiled.layout.choices.items() if choice.together}
    assert together == {"q_product": ("k_product", "v_product")}
    step = next(step for step, _ in compiled.program.supersteps() if "k_product" in step.ops and step.compute)
    products = [vertices for vertices in step.compute if vertices.label == "amp"]
    tiles = [set(vertices.tile.tolist()) for vertices in products]
    assert [vertices.op or step.op for vertices in products] == ["q_product", "k_product", "v_product"]
    assert not tiles[0] & tiles[1] | tiles[0] & tiles[2] | tiles[1] & tiles[2]
    assert compiled.plans["k_product"].split == compiled.plans["q_product"].split


def test_a_known_layout_is_not_searched_again(compiled, monkeypatch):
    monkeypatch.setattr("ipusim.layout.choose.search_choices", None)
    again = compile_workload(encoder(), SMALL)
    assert again.layout == compiled.layout
    assert time_program(again.program, SMALL).cycles == compiled.layout.cycles


def test_an_op_of_its_own_is_left_alone():
    chip = load_chip("tiny")
    compiled = compile_workload("dense/tiny", chip, settings=["compile.layout=network"])
    assert compiled.layout == GREEDY
    assert lay_out(compiled.graph, compiled.plans, chip, PlanOptions(), network=True).layout == GREEDY


@pytest.mark.parametrize("workload", ["quickstart", "dense/mlp", "dense/attention-scores"])
def test_packaged_workloads_are_never_slower(workload):
    network = compile_workload(workload, SMALL, settings=["compile.layout=network"])
    greedy = compile_workload(workload, SMALL, settings=["compile.layout=greedy"])
    cycles = [time_program(each.program, SMALL).cycles for each in (network, greedy)]
    assert cycles[0] <= cycles[1]
    assert network.fits == greedy.fits


@pytest.mark.slow
def test_the_packaged_transformer_layer_is_quicker():
    compiled = compile_workload("networks/encoder-layer", settings=["compile.layout=network"])
    assert (compiled.layout.greedy_cycles, compiled.layout.cycles) == (99_811, 77_955)


def test_choices_say_what_they_are():
    assert Choice().words() == "as alone"
    assert Choice(parts=0).words() == "where its operand is"
    assert Choice(parts=4, mapping_of=1).words() == "mapping of operand 2; 4 parts of each result"


def test_the_summary_counts_what_is_left_and_what_was_saved(compiled, alone):
    found = summarise(compiled.layout, compiled.program, alone.program, SMALL)
    counts = [sum(count for _, count in each.program.supersteps()) for each in (alone, compiled)]
    assert (found["supersteps"]["greedy"], found["supersteps"]["network"]) == tuple(counts)
    assert found["supersteps"]["shared"] > 0
    before = rearrangements(alone.program, SMALL)
    left = {(each["op"], each["tensor"]) for each in found["rearranged"]}
    saved = {(each["op"], each["tensor"]) for each in found["saved"]}
    assert saved
    assert not saved & left
    assert saved <= {(each.op, each.tensor) for each in before} <= saved | left
    # a tile cannot receive its share in less than the bytes over all tiles, at 4 bytes a cycle
    assert all(each.cycles >= each.n_bytes / SMALL.n_tiles / SMALL.exchange_bytes_per_cycle for each in before)
    unchanged = summarise(alone.layout, alone.program, alone.program, SMALL)
    assert unchanged["saved"] == []
    assert len(unchanged["rearranged"]) == len(before)
