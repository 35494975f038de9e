"""Training in the executed program, on a chip of four tiles."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from small_training import classes_workload as workload
from small_training import write_classes

from ipusim.cli.main import main
from ipusim.errors import BadInputError
from ipusim.pipeline.compiling import load_inputs
from ipusim.training.loop import Training
from ipusim.training.programs import DoesNotFitError
from ipusim.training.setup import initial_masks, initial_weights, prepare
from ipusim.training.train import train

METHODS = ("dense", "static", "prune", "set", "rigl")


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a file with images of three classes."""
    return write_classes(tmp_path_factory.mktemp("data"))


@pytest.mark.parametrize("method", METHODS)
def test_the_same_seed_gives_the_same_bytes_and_a_resumed_training_too(
    data: Path, tmp_path: Path, method: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def files(name: str) -> dict[str, Path]:
        return {"log": tmp_path / f"{name}.jsonl", "checkpoint": tmp_path / f"{name}.npz"}

    done = train(workload(data), method=method, **files("once"))
    stop_after(8, monkeypatch)
    with pytest.raises(KeyboardInterrupt):
        train(workload(data), method=method, **files("twice"))
    assert [json.loads(line)["step"] for line in files("twice")["log"].read_text().splitlines()] == [4, 8]
    monkeypatch.undo()
    resumed = train(workload(data), method=method, resume=True, **files("twice"))
    assert resumed == done
    for part, path in files("once").items():
        assert path.read_bytes() == files("twice")[part].read_bytes()
    losses = [line["loss"] for line in done["log"]]
    assert losses[-1] < losses[0]
    with pytest.raises(BadInputError, match="another training"):
        train(workload(data), method=method, seed=1, resume=True, **files("twice"))


def stop_after(steps: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Interrupt a training in the step after `steps`."""
    ordinary = Training._step

    def step(training: Training) -> None:
        if training.state.step == steps + 1:
            raise KeyboardInterrupt
        ordinary(training)

    monkeypatch.setattr(Training, "_step", step)


@pytest.mark.parametrize("method", ["static", "set", "rigl"])
@pytest.mark.parametrize("block_size", [1, 4])
def test_the_number_of_connections_stays(data: Path, method: str, block_size: int) -> None:
    sparsity = {"density": 0.5, "distribution": "uniform", "every": 3, "dense": ["w2"], "drop_fraction": 0.5}
    loaded, chip = load_inputs(workload(data, sparsity={**sparsity, "block_size": block_size, "oversize": 4}))
    setup = prepare(loaded, method, 8)
    training = Training(loaded, chip, setup)
    before = {name: mask.copy() for name, mask in training.state.masks.items()}
    training.run(None, None)
    assert set(before) == {"w1"}
    after = training.state.masks["w1"]
    assert after.sum() == before["w1"].sum() == 64 // block_size**2
    assert np.array_equal(after, before["w1"]) == (method == "static")
    kept = np.kron(after, np.ones((block_size, block_size), dtype=bool))
    for values in (training.state.weights["w1"], training.state.states["w1#momentum"]):
        assert not values[~kept].any()
    assert (training.state.totals.changed > 0) == (method != "static")


def test_a_dense_step_is_that_of_numpy(data: Path) -> None:
    loaded, chip = load_inputs(workload(data))
    setup = prepare(loaded, "dense", 2)
    training = Training(loaded, chip, setup)
    weights = {name: values.astype(np.float64) for name, values in training.state.weights.items()}
    momentum = dict.fromkeys(weights, 0.0)
    losses = []
    for _ in range(2):
        x, targets = (training._batches()[0][name].astype(np.float64) for name in ("x", "targets"))
        training._step()
        hidden = x @ weights["w1"] + weights["b1"]
        logits = np.maximum(hidden, 0) @ weights["w2"]
        softmax = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
        losses.append(-np.log((softmax * targets).sum(axis=1)).mean())
        below = (softmax - targets) / 8
        inner = (below @ weights["w2"].T) * (hidden > 0)
        gradients = {"w1": x.T @ inner, "b1": inner.sum(axis=0), "w2": np.maximum(hidden, 0).T @ below}
        for name, gradient in gradients.items():
            momentum[name] = 0.5 * momentum[name] + gradient
            weights[name] = weights[name] - 0.2 * momentum[name]
    np.testing.assert_allclose(training.state.losses, losses, rtol=1e-5)
    for name, values in weights.items():
        np.testing.assert_allclose(training.state.weights[name], values, atol=1e-5)


def test_rigl_grows_where_the_dense_gradient_is_largest_and_updates_nothing(data: Path) -> None:
    loaded, chip = load_inputs(workload(data))
    training = Training(loaded, chip, prepare(loaded, "rigl"))
    for _ in range(3):
        training._step()
    before, mask, step = dict(training.state.weights), training.state.masks["w1"], training.programs.step().cost
    cycles = training.state.totals.cycles
    assert cycles == 3 * step.cycles
    gradients = training.programs.dense_gradients()
    x, targets = (training._batches()[0][name].astype(np.float64) for name in ("x", "targets"))
    training._step()
    assert training.state.totals.cycles == cycles + gradients.cost.cycles
    after = training.state.masks["w1"]
    hidden = x @ before["w1"] + before["b1"]
    logits = np.maximum(hidden, 0) @ before["w2"]
    softmax = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    dense = np.abs(x.T @ (((softmax - targets) / 8 @ before["w2"].T) * (hidden > 0)))
    count = int(training.setup.schedule.share(3) * mask.sum())
    smallest = np.argsort(np.where(mask, np.abs(before["w1"]), np.inf), axis=None)[:count]
    left = mask.reshape(-1).copy()
    left[smallest] = False
    largest = np.argsort(np.where(left, -1, dense.reshape(-1)))[-count:]
    left[largest] = True
    assert count > 0
    assert np.array_equal(after.reshape(-1), left)
    assert np.array_equal(training.state.weights["w2"], before["w2"])
    assert np.array_equal(training.state.weights["w1"][mask & after], before["w1"][mask & after])
    assert not training.state.weights["w1"][after & ~mask].any()


def test_costs_alone_and_in_a_training(data: Path) -> None:
    costs = train(workload(data), execute=False)
    assert set(costs["programs"]) == {"step", "dense_gradients", "forward"}
    assert costs["trained"] is None
    assert 0 < costs["topology_share"] < 1
    step = costs["programs"]["step"]
    assert step["cycles"] == sum(step["cycles_by_phase"].values())
    dense = train(workload(data), method="dense", execute=False)
    assert dense["programs"]["step"]["flops"] > step["flops"]
    assert (dense["topology_share"], dense["density"]) == (0.0, 1.0)
    trained = train(workload(data), method="dense", steps=3)["trained"]
    assert trained["cycles"] == 3 * dense["programs"]["step"]["cycles"]
    assert trained["flops"] == 3 * dense["programs"]["step"]["flops"]


def test_sparse_weights_begin_with_the_variance_of_sums_of_dense_ones(data: Path) -> None:
    loaded, _ = load_inputs(workload(data))
    setup = prepare(loaded, "static")
    masks = initial_masks(setup)
    weights, dense = initial_weights(setup, masks), initial_weights(setup, {})
    kept = masks["w1"]
    np.testing.assert_allclose(weights["w1"][kept], dense["w1"][kept] * 2**0.5, rtol=1e-6)
    assert not weights["w1"][~kept].any()


def test_what_does_not_fit(data: Path) -> None:
    with pytest.raises(DoesNotFitError, match=r"training: a training step of dense does not fit tiny: .* of 1,024"):
        train(workload(data), settings=["tile_sram_bytes=1024"], method="dense", execute=False)


def test_data_of_other_shapes(data: Path) -> None:
    document = workload(data)
    document["tensors"]["x"]["shape"] = [8, 9]
    document["tensors"]["w1"]["shape"] = [9, 16]
    with pytest.raises(BadInputError, match=r"training.inputs.images: 'x' of \[8, 9\] holds 9 numbers an image"):
        train(document)


def test_the_command(data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "classes.yaml"
    path.write_text(json.dumps(workload(data)))
    assert main(["train", str(path), "--steps", "4", "--json"]) == 0
    found = capsys.readouterr()
    assert json.loads(found.out)["trained"]["step"] == 4
    assert "step 4 of 4" in found.err
    assert main(["train", str(path), "--no-execute"]) == 0
    shown = capsys.readouterr().out
    assert "dense gradients" in shown
    assert main(["train", str(path), "--compare", "dense,set", "--seeds", "2", "--steps", "2"]) == 0
    table = capsys.readouterr().out
    assert "±" in table
    assert max(map(len, (shown + table).splitlines())) <= 80


@pytest.mark.parametrize(
    ("options", "wrong"),
    [
        (["--method", "rigel"], "--method: unknown method 'rigel' (did you mean 'rigl'?)"),
        (["--compare", "dense,sets"], "--compare: unknown method 'sets' (did you mean 'set'?)"),
        (["--steps", "0"], "--steps: must be at least 1, not 0"),
        (["--resume"], "--resume: needs --checkpoint"),
        (["--compare", "dense", "--no-execute"], "--no-execute: does not go with --compare"),
    ],
)
def test_wrong_options(options: list[str], wrong: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["train", "quickstart", *options]) == 2
    assert wrong in capsys.readouterr().err


def test_a_workload_without_training(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["train", "quickstart"]) == 2
    assert "has no training" in capsys.readouterr().err


@pytest.mark.slow
def test_digits_are_learnt_with_a_twentieth_of_the_weights() -> None:
    pytest.importorskip("sklearn")
    settings = ["n_tiles=16", "training.log_every=200"]
    found = {method: train("training/digits-mlp", None, settings, method, 200) for method in ("dense", "rigl")}
    assert found["rigl"]["trained"]["accuracy"] > 0.9
    assert found["dense"]["trained"]["accuracy"] > 0.95
    assert found["rigl"]["trained"]["flops"] < found["dense"]["trained"]["flops"] / 10
