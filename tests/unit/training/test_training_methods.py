"""Pruning, accumulated gradients and scaled losses, on a chip of four tiles."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from small_training import classes_workload, write_classes

from ipusim.errors import BadInputError
from ipusim.frontends.workload import load_workload
from ipusim.ir.graph import Graph
from ipusim.pipeline.compiling import load_inputs
from ipusim.pipeline.levers import _streamed
from ipusim.training.flops import training_fraction
from ipusim.training.loop import Training
from ipusim.training.programs import DoesNotFitError, Part, Programs
from ipusim.training.setup import expanded, prepare
from ipusim.training.topology import PruneSchedule, prune_connections
from ipusim.training.train import train

METHODS = ("dense", "static", "prune", "set", "rigl")
SPARSITY = {"density": 0.25, "distribution": "uniform", "every": 2, "dense": ["w2"]}


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a file with images of three classes."""
    return write_classes(tmp_path_factory.mktemp("data"))


def started(document: dict[str, Any], method: str, steps: int | None = None) -> Training:
    loaded, chip = load_inputs(document)
    return Training(loaded, chip, prepare(loaded, method, steps))  # type: ignore[arg-type]


def test_pruning_follows_a_cubic_and_ends_at_the_density() -> None:
    schedule = PruneSchedule(begin=10, end=31, every=5, steps=40)
    due = [step for step in range(40) if schedule.is_due(step)]
    assert due == [15, 20, 25, 30, 31]
    shares = [schedule.share(step) for step in due]
    assert shares[0] == pytest.approx(1 - (1 - 5 / 21) ** 3)
    assert shares == sorted(shares)
    assert (schedule.share(9), schedule.share(14), shares[-1]) == (0.0, 0.0, 1.0)


def test_the_smallest_go_and_none_comes_back() -> None:
    mask = np.array([[True, True, False], [True, True, True]])
    score = np.array([[3.0, 1.0, 9.0], [1.0, 5.0, 4.0]])
    found = prune_connections(mask, score, 3)
    assert found.tolist() == [[True, False, False], [False, True, True]]
    assert np.array_equal(prune_connections(mask, score, 6), mask)


@pytest.mark.parametrize("block_size", [1, 4])
def test_pruning_removes_by_magnitude_until_the_density_is_reached(data: Path, block_size: int) -> None:
    document = classes_workload(data, sparsity={**SPARSITY, "block_size": block_size, "begin": 2, "end": 7})
    training = started(document, "prune", 10)
    kept, size = [], 128
    for step in range(10):
        before = training.state.masks["w1"]
        training._step()
        mask = training.state.masks["w1"]
        kept.append(int(mask.sum()) * block_size**2)
        assert not (mask & ~before).any()
        assert (step in (4, 6, 7)) == (mask is not before)
        elements = expanded(mask, (8, 16))
        for values in (training.state.weights["w1"], training.state.states["w1#momentum"]):
            assert step not in (4, 6, 7) or not values[~elements].any()
        assert not training.state.weights["w1"][~elements].any()
    assert kept[3] == size
    shares = [1 - (1 - 2 / 5) ** 3, 1 - (1 - 4 / 5) ** 3, 1.0]
    blocks = size // block_size**2
    expected = [round((1 - 0.75 * share) * blocks) * block_size**2 for share in shares]
    assert [kept[4], kept[6], kept[7], kept[9]] == [*expected, expected[-1]]
    assert training.state.totals.changed == size - size // 4


def only(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let pruned weights be trained by one kind of program only."""
    ordinary = Programs._compiled

    def compiled(programs: Programs, name: str, graph: Graph, useful: Graph | None = None) -> Part:
        sparse = any(tensor.sparsity for tensor in graph.tensors.values())
        if useful is not None and sparse != (kind == "sparse"):
            raise DoesNotFitError("", name, None)  # type: ignore[arg-type]
        return ordinary(programs, name, graph, useful)

    monkeypatch.setattr(Programs, "_compiled", compiled)


def convolution(data: Path) -> dict[str, Any]:
    """Return the network of classes with a convolution before its product."""
    document = classes_workload(data, sparsity={**SPARSITY, "dense": []})
    document["tensors"] = {
        "x": {"shape": [8, 2, 4]},
        "targets": {"shape": [8, 3]},
        "kernel": {"shape": [4, 2, 3], "init": {"normal": {"scale": 0.4}}},
        "w1": {"shape": [8, 3], "init": {"normal": {"scale": 0.4}}},
    }
    document["ops"] = [
        {"op": "conv1d", "inputs": ["x", "kernel"], "output": "p"},
        {"op": "relu", "inputs": ["p"], "output": "h"},
        {"op": "reshape", "inputs": ["h"], "output": "f", "shape": [8, 8]},
        {"op": "matmul", "inputs": ["f", "w1"], "output": "logits"},
        {"op": "cross_entropy", "inputs": ["logits", "targets"], "output": "loss"},
    ]
    return document


@pytest.mark.parametrize("build", [lambda data: classes_workload(data, sparsity=SPARSITY), convolution])
def test_masked_and_sparse_programs_train_alike(data: Path, build: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    found = []
    for kind in ("sparse", "dense"):
        with monkeypatch.context() as patch:
            only(kind, patch)
            training = started(build(data), "prune")
            training.run(None, None)
            for name in ("step", "forward"):
                training.programs.part(name)
            found.append((training.state, training.programs))
    (sparse, programs), (dense, others) = found
    for name, values in sparse.weights.items():
        np.testing.assert_allclose(values, dense.weights[name], atol=1e-5)
    assert sparse.totals.flops == dense.totals.flops
    assert sparse.totals.changed > 0
    cheapest = Programs(programs.workload, programs.chip, programs.setup, programs.masks)
    for name in ("step", "forward"):
        both = (programs.part(name).cost.cycles, others.part(name).cost.cycles)
        assert both[0] != both[1]
        assert cheapest.part(name).cost.cycles == min(both)


def test_pruning_saves_what_its_formula_says(data: Path) -> None:
    pruned, dense = (train(classes_workload(data, sparsity={**SPARSITY, "dense": []}), method=method, steps=40)
                     for method in ("prune", "dense"))  # fmt: skip
    forward = {name: run["programs"]["forward"]["flops"] for name, run in (("prune", pruned), ("dense", dense))}
    schedule = PruneSchedule(40 * 5 // 16, 30, 2, 40)
    expected = training_fraction("prune", forward["prune"] / forward["dense"], schedule=schedule)
    assert pruned["trained"]["flops"] / dense["trained"]["flops"] == pytest.approx(expected, rel=0.05)


@pytest.mark.parametrize("method", METHODS)
def test_accumulated_batches_are_one_large_batch(data: Path, method: str) -> None:
    small = classes_workload(data, accumulate=2)
    large = classes_workload(data)
    large["tensors"]["x"]["shape"], large["tensors"]["targets"]["shape"] = [16, 8], [16, 3]
    one, other = started(small, method, 8), started(large, method, 8)
    for training in (one, other):
        training.run(None, None)
    for name, values in one.state.weights.items():
        np.testing.assert_allclose(values, other.state.weights[name], atol=2e-5)
    assert not one.state.states["w1#accumulated"].any()
    parts = one.programs
    if method == "dense":
        assert one.state.totals.cycles == 8 * (parts.step().cost.cycles + parts.accumulate().cost.cycles)
        assert one.state.totals.flops == 8 * (parts.step().cost.flops + parts.accumulate().cost.flops)
        plain = started(classes_workload(data), method).programs.step().cost
        assert parts.step().cost.max_tile_bytes > plain.max_tile_bytes
        assert parts.accumulate().cost.cycles < plain.cycles


def test_a_document_counts_all_images_of_a_step(data: Path) -> None:
    costs = train(classes_workload(data, accumulate=3), execute=False)
    assert (costs["batch"], costs["accumulate"]) == (24, 3)
    assert set(costs["programs"]) == {"step", "accumulate", "dense_gradients", "forward"}
    assert 0 < costs["topology_share"] < 1


def narrow(data: Path, **changes: Any) -> dict[str, Any]:
    return {**classes_workload(data, **changes), "dtype": "float16"}


@pytest.mark.parametrize("method", METHODS)
def test_scaled_float16_learns_what_float32_learns(data: Path, method: str) -> None:
    wide, scaled = started(classes_workload(data), method), started(narrow(data, loss_scale="auto"), method)
    for training in (wide, scaled):
        training.run(None, None)
    masters = {name: scaled.state.states[f"{name}#master"] for name in scaled.state.weights}
    for name, values in masters.items():
        np.testing.assert_allclose(values, wide.state.weights[name], atol=0.02)
        half = values.astype(np.float16).astype(np.float32)
        np.testing.assert_array_equal(scaled.state.weights[name], half)


def test_small_gradients_survive_by_the_scale(data: Path) -> None:
    """A loss of a millionth has gradients below the smallest float16."""

    def moved(**changes: Any) -> float:
        document = narrow(data, **changes)
        document["ops"].append({"op": "scale_shift", "inputs": ["loss"], "output": "tiny", "scale": 2.0**-24})
        document["training"]["loss"] = "tiny"
        training = started(document, "dense", 2)
        before = training.state.states["w1#master"]
        training.run(None, None)
        return float(np.abs(training.state.states["w1#master"] - before).max())

    assert moved() == 0.0
    assert moved(loss_scale=2**15) > 0.0


def test_a_step_that_overflows_is_left_out_and_the_scale_halves(data: Path) -> None:
    document = narrow(data, loss_scale="auto", optimiser={"adam": {}}, accumulate=2)
    document["ops"].append({"op": "scale_shift", "inputs": ["loss"], "output": "large", "scale": 2.0**6})
    document["training"]["loss"] = "large"
    training = started(document, "dense", 12)
    before = {**training.state.weights, **training.state.states}
    assert training.state.scale.scale == 2.0**15
    training._step()
    assert training.state.scale.scale == 2.0**14
    assert training.state.totals.skipped == 1
    after = {**training.state.weights, **training.state.states}
    assert all(np.array_equal(values, after[name]) for name, values in before.items())
    training.run(None, None)
    skipped = training.state.totals.skipped
    assert 1 < skipped < 11
    assert training.state.scale.scale == 2.0 ** (15 - skipped)
    assert json.loads(training.state.log[-1])["skipped_steps"] == skipped
    assert not np.array_equal(training.state.weights["w1"], before["w1"])


def test_topology_stays_where_dense_gradients_overflow(data: Path) -> None:
    document = narrow(data, loss_scale=2**15, sparsity={**SPARSITY, "every": 1})
    document["ops"].append({"op": "scale_shift", "inputs": ["loss"], "output": "large", "scale": 2.0**10})
    document["training"]["loss"] = "large"
    training = started(document, "rigl", 4)
    mask = training.state.masks["w1"]
    training.run(None, None)
    assert training.state.masks["w1"] is mask
    assert training.state.totals.skipped == 4


def test_a_resumed_training_knows_its_scale(data: Path, tmp_path: Path) -> None:
    document = narrow(data, loss_scale="auto", optimiser={"adam": {}})
    document["ops"].append({"op": "scale_shift", "inputs": ["loss"], "output": "large", "scale": 2.0**6})
    document["training"]["loss"] = "large"
    training = started(document, "dense")
    training.run(None, tmp_path / "state.npz")
    again = started(document, "dense")
    again.resume(tmp_path / "state.npz")
    assert again.state.scale == training.state.scale
    assert again.state.totals == training.state.totals


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"loss_scale": 1000}, "training.loss_scale: expected auto or a power of two"),
        ({"accumulate": 0}, "training.accumulate"),
        ({"masters": 1}, "training.masters"),
    ],
)
def test_wrong_values_are_told_at_their_place(data: Path, changes: dict[str, Any], said: str) -> None:
    with pytest.raises(BadInputError, match=said):
        load_workload(classes_workload(data, **changes))


def test_a_static_scale_that_the_loss_cannot_hold(data: Path) -> None:
    with pytest.raises(BadInputError, match=r"training\.loss_scale: float16 holds no more than 32768"):
        started(narrow(data, loss_scale=2**16), "dense")


def large(data: Path) -> dict[str, Any]:
    """Return the network of classes with larger batches and more features inside."""
    document = classes_workload(data)
    shapes = {"x": [64, 8], "targets": [64, 3], "w1": [8, 64], "b1": [64], "w2": [64, 3]}
    for name, shape in shapes.items():
        document["tensors"][name]["shape"] = shape
    return document


def test_levers_of_the_compiler_are_taken_where_a_step_does_not_fit(data: Path) -> None:
    def costs(*settings: str) -> Any:
        return train(large(data), None, settings, "dense", execute=False)["programs"]

    roomy, tight = costs(), costs("tile_sram_bytes=15360")
    assert roomy["step"]["max_tile_bytes"] > 15360 >= tight["step"]["max_tile_bytes"]
    assert [lever["lever"] for lever in tight["step"]["levers_taken"]] == ["temporaries"]
    assert tight["step"]["cycles"] > roomy["step"]["cycles"]
    assert tight["forward"]["cycles"] == roomy["forward"]["cycles"]
    with pytest.raises(DoesNotFitError, match=r"what helps: compile\.levers=auto"):
        costs("tile_sram_bytes=15360", "compile.levers=none")


def test_what_a_step_overwrites_does_not_go_to_dram(data: Path) -> None:
    loaded, chip = load_inputs(large(data), None, ["dram_bytes=1 GiB", "dram_bytes_per_s=10000000000"])
    step = Programs(loaded, chip, prepare(loaded, "dense"), {}).step().compiled
    moved = [name for each in _streamed(step, 10**6) for name in each.lever.targets]
    assert {"x", "targets"} <= set(moved)
    assert not set(moved) & set(step.graph.updates)
