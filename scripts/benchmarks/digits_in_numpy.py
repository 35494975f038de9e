"""The digits network and a step of its training, in NumPy with dense weights and in SciPy with sparse ones."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Any

import numpy as np
import scipy.sparse
from numpy.typing import NDArray

Array = NDArray[np.float32]
Step = Callable[[Array, Array], float]
BATCH, RATE, MOMENTUM = 64, np.float32(0.1), np.float32(0.9)
WIDTHS = (64, 320, 128, 10)


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
        inputs, slope, loss = _forward(x, targets, [_product(weight) for weight in weights], biases)
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
        inputs, slope, loss = _forward(x, targets, [_sparse_product(weight) for weight in weights], biases)
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


def _product(weight: Array) -> Callable[[Array], Array]:
    return lambda x: x @ weight


def _sparse_product(weight: Any) -> Callable[[Array], Array]:
    return lambda x: (weight.T @ x.T).T


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
