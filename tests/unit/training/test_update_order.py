"""When weights are updated, and where."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from ipusim.errors import BadInputError
from ipusim.frontends.workload import load_workload
from ipusim.ir.graph import Graph
from ipusim.pipeline.compiling import Compiled, compile_graph, load_inputs
from ipusim.training.optimisers.registry import find_optimiser
from ipusim.training.setup import initial_masks, prepare
from ipusim.training.step import build_step
from ipusim.training.train import train

NARROW = {"shape": [32, 32]}


def deep(method: str = "dense") -> dict[str, Any]:
    """Return four layers, whose weights and gradients take most of the memory, and no declared loss."""
    ops = [{"op": "matmul", "inputs": ["x" if n == 0 else f"h{n - 1}", f"w{n}"], "output": f"h{n}"} for n in range(4)]
    return {
        "name": "deep",
        "chip": "tiny",
        "dtype": "float32",
        "tensors": {"x": {"shape": [8, 32]}, **{f"w{n}": NARROW for n in range(4)}},
        "ops": ops,
        "training": {
            "inputs": {"images": "x", "targets": "targets"},
            "optimiser": {"sgd": {"momentum": 0.9}},
            "learning_rate": {"value": 0.1},
            "steps": 4,
            "sparsity": {"method": method, "density": 0.5, "distribution": "uniform"},
        },
    }


def step_of(document: dict[str, Any]) -> tuple[Graph, Compiled]:
    workload, chip = load_inputs(document)
    setup = prepare(workload)
    graph = setup.with_masks(initial_masks(setup))
    sgd = find_optimiser("sgd")
    step = build_step(graph, setup.entry.loss, setup.weights, sgd, {**sgd.options, "momentum": 0.9})
    return step.graph, compile_graph(workload, chip, step.graph)


def test_an_update_follows_the_gradient_and_the_last_reader_of_the_weight() -> None:
    graph, _ = step_of(deep())
    position = {op.outputs[0]: at for at, op in enumerate(graph.ops)}
    for old, new in graph.updates.items():
        readers = [at for at, op in enumerate(graph.ops) if old in op.inputs]
        assert max(readers) <= position[new]
    last = [position[graph.updates[f"w{n}"]] for n in range(4)]
    assert last == sorted(last, reverse=True)
    passes = [at for at, op in enumerate(graph.ops) if not op.name.startswith("update.")]
    assert last[3] < max(passes)


@pytest.mark.parametrize("method", ["dense", "static", "rigl"])
def test_early_updates_need_less_memory(method: str) -> None:
    graph, early = step_of(deep(method))
    late = sorted(graph.ops, key=lambda op: op.name.startswith("update."))
    compiled = compile_graph(early.workload, early.chip, replace(graph, ops=tuple(late)))
    assert early.memory is not None
    assert compiled.memory is not None
    assert early.memory.max_tile_bytes < compiled.memory.max_tile_bytes


def test_a_weight_and_its_states_are_updated_where_the_weight_was_at_first() -> None:
    """The backward pass reads another copy of the weight; that one is not what is updated."""
    _, compiled = step_of(deep())
    program = compiled.program
    assert program is not None
    for old, new in program.updates.items():
        assert program.variables[new].over == old, (old, new)
    moved = [step.name for step, _ in program.supersteps() if "/rearrange w" in step.name and "update" in step.name]
    assert not moved


def test_a_network_without_a_loss_gets_the_cross_entropy() -> None:
    setup = prepare(load_workload(deep()))
    assert setup.graph.ops[-1].kind == "cross_entropy"
    assert setup.graph.ops[-1].inputs == ("h3", "targets")
    assert setup.graph.tensors["targets"].shape == (8, 32)
    assert setup.weights == ("w0", "w1", "w2", "w3")
    assert (setup.entry.loss, setup.entry.predictions) == (setup.graph.ops[-1].outputs[0], "h3")


def test_without_data_there_are_costs_only() -> None:
    assert train(deep(), execute=False)["programs"]["step"]["cycles"] > 0
    with pytest.raises(BadInputError, match="training: has no data"):
        train(deep())


def test_batch_norms_take_the_statistics_of_the_batch() -> None:
    document = deep()
    document["tensors"] |= {name: {"shape": [32]} for name in ("scale", "shift", "mean", "variance")}
    norm = {"op": "batch_norm", "inputs": ["h3", "scale", "shift", "mean", "variance"], "output": "y"}
    setup = prepare(load_workload({**document, "ops": [*document["ops"], norm]}))
    assert setup.graph.ops[-2].kind == "batch_norm_training"
    assert setup.weights[-2:] == ("scale", "shift")


def test_a_narrow_weight_is_overwritten_by_the_cast_of_its_master() -> None:
    document = deep() | {"dtype": "float16"}
    document["training"]["masters"] = True
    workload, chip = load_inputs(document)
    setup = prepare(workload)
    sgd = find_optimiser("sgd")
    step = build_step(setup.graph, setup.entry.loss, setup.weights, sgd, {**sgd.options, "momentum": 0.9}, setup.how)
    program = compile_graph(workload, chip, step.graph).program
    assert program is not None
    for old, new in program.updates.items():
        assert program.variables[new].over == old, (old, new)
