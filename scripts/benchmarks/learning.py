"""Steps of training of the digits network: ipusim's executed program beside the same network in NumPy and SciPy.

ipusim computes every step in the order and the rounding of the chip's program, counts its cycles and, with RigL,
compiles new programs whenever connections change; NumPy and SciPy just compute.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Any

import numpy as np
import scipy.sparse
from numpy.typing import NDArray

from benchmarks.measuring import Figures
from ipusim.chip.load import load_chip
from ipusim.frontends.workload import load_workload
from ipusim.training.data import load_digits, one_hot
from ipusim.training.loop import Training
from ipusim.training.setup import prepare

Array = NDArray[np.float32]
STEPS = 120
"""Of each training: RigL changes connections twice or three times meanwhile."""
BATCH, RATE, MOMENTUM = 64, np.float32(0.1), np.float32(0.9)
WIDTHS = (64, 320, 128, 10)


def training() -> Figures:
    """Steps of training of digits-mlp (64-320-128-10, batch 64, float32, 16 tiles)"""
    figures: Figures = {}
    densities: Sequence[float] = ()
    for method in ("dense", "static", "rigl"):
        _train(method, 2)
        taken, densities = _train(method, STEPS)
        figures[f"ipusim {method}, steps per second"] = STEPS / taken
    theirs = {
        "numpy dense": _steps_per_second(dense_step(initial_weights((1, 1, 1)))),
        "scipy.sparse static": _steps_per_second(sparse_step(initial_weights(densities))),
    }
    figures |= {f"{name}, steps per second": value for name, value in theirs.items()}
    figures["dense, speed relative to numpy"] = figures["ipusim dense, steps per second"] / theirs["numpy dense"]
    for method in ("static", "rigl"):
        ratio = figures[f"ipusim {method}, steps per second"] / theirs["scipy.sparse static"]
        figures[f"{method}, speed relative to scipy.sparse"] = ratio
    return figures


def _train(method: str, n_steps: int) -> tuple[float, list[float]]:
    """Return the CPU seconds of the steps, the test at the end included, and the densities of the three weights."""
    workload = load_workload("training/digits-mlp")
    setup = prepare(workload, method, n_steps, 0)
    run = Training(workload, load_chip("bow", n_tiles=16), setup, 1)
    start = time.process_time()
    run.run(None, None)
    return time.process_time() - start, [setup.densities.get(name, 1.0) for name in ("w1", "w2", "w3")]


Step = Callable[[Array, Array], Any]


def initial_weights(densities: Sequence[float]) -> list[Array]:
    """Return the weights before the first step, zero where a random pattern of these densities has none."""
    random = np.random.default_rng(0)
    weights = []
    for density, (rows, cols) in zip(densities, pairwise(WIDTHS), strict=True):
        drawn = random.standard_normal((rows, cols)) * np.sqrt(2 / rows / density)
        weights.append((drawn * (random.random((rows, cols)) < density)).astype(np.float32))
    return weights


def dense_step(weights: Sequence[Array]) -> Step:
    """Return a step of the network with dense weights, which it changes: forward, backward, momentum."""
    weights = list(weights)
    biases = [np.zeros(width, np.float32) for width in WIDTHS[1:]]
    speeds = [np.zeros_like(each) for each in (*weights, *biases)]

    def step(x: Array, targets: Array) -> float:
        inputs, slope, loss = _forward(x, targets, [lambda h, w=weight: h @ w for weight in weights], biases)
        gradients = []
        for layer in (2, 1, 0):
            gradients.append((inputs[layer].T @ slope, slope.sum(axis=0)))
            if layer:
                slope = (slope @ weights[layer].T) * (inputs[layer] > 0)
        _descend(weights + biases, [g for g, _ in reversed(gradients)] + [b for _, b in reversed(gradients)], speeds)
        return loss

    return step


def sparse_step(dense: Sequence[Array]) -> Step:
    """Return a step with the non-zeros of these weights: SciPy's CSR products, gradients at the non-zeros alone."""
    weights = [scipy.sparse.csr_array(weight) for weight in dense]
    places = [(np.repeat(np.arange(w.shape[0]), np.diff(w.indptr)), w.indices) for w in weights]
    biases = [np.zeros(width, np.float32) for width in WIDTHS[1:]]
    values = [weight.data for weight in weights]
    speeds = [np.zeros_like(each) for each in (*values, *biases)]

    def step(x: Array, targets: Array) -> float:
        products = [lambda h, w=weight: (w.T @ h.T).T for weight in weights]
        inputs, slope, loss = _forward(x, targets, products, biases)
        gradients = []
        for layer in (2, 1, 0):
            rows, cols = places[layer]
            at_nonzeros = np.einsum("bi,bi->i", inputs[layer][:, rows], slope[:, cols])
            gradients.append((at_nonzeros, slope.sum(axis=0)))
            if layer:
                slope = (weights[layer] @ slope.T).T * (inputs[layer] > 0)
        _descend(values + biases, [g for g, _ in reversed(gradients)] + [b for _, b in reversed(gradients)], speeds)
        return loss

    return step


def _forward(
    x: Array, targets: Array, products: Sequence[Callable[[Array], Array]], biases: Sequence[Array]
) -> tuple[list[Array], Array, float]:
    """Return the input of each layer, the slope of the loss at the logits, and the loss."""
    inputs = [x]
    for product, bias in zip(products[:-1], biases[:-1], strict=True):
        inputs.append(np.maximum(product(inputs[-1]) + bias, 0))
    logits = products[-1](inputs[-1]) + biases[-1]
    shifted = logits - logits.max(axis=1, keepdims=True)
    chances = np.exp(shifted)
    total = chances.sum(axis=1, keepdims=True)
    loss = float(((np.log(total) - shifted) * targets).sum() / len(x))
    return inputs, (chances / total - targets) / np.float32(len(x)), loss


def _descend(values: Sequence[Array], gradients: Sequence[Array], speeds: Sequence[Array]) -> None:
    for value, gradient, speed in zip(values, gradients, speeds, strict=True):
        speed *= MOMENTUM
        speed += gradient
        value -= RATE * speed


def _steps_per_second(step: Step, n_steps: int = 2000) -> float:
    """Return the steps per CPU second, over batches of the same images; the loss has to fall."""
    data = load_digits(0)
    labels = one_hot(data.y_train, WIDTHS[-1])
    batches = [(data.x_train[at : at + BATCH], labels[at : at + BATCH]) for at in range(0, 1280, BATCH)]
    first = step(*batches[0])
    start = time.process_time()
    for number in range(n_steps):
        step(*batches[number % len(batches)])
    taken = time.process_time() - start
    assert step(*batches[0]) < first / 2
    return n_steps / taken
