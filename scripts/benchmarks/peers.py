"""NumPy and SciPy alone, in processes that load nothing of ipusim but its digits."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
import scipy.sparse

from benchmarks.digits_in_numpy import BATCH, WIDTHS, Step, dense_step, initial_weights, sparse_step
from benchmarks.measuring import Figures, seconds


def multiply(left: str, right: str) -> Figures:
    """Return the seconds of a product of arrays in files: ``.npy``, or ``.npz`` of ``scipy.sparse``."""
    weights = np.load(left) if Path(left).suffix == ".npy" else scipy.sparse.load_npz(left)
    x = np.load(right)
    return {"s": seconds(lambda: weights @ x)}


def train_dense() -> Figures:
    """Return the steps per second of the digits network in NumPy."""
    return {"steps per second": _steps_per_second(dense_step(initial_weights((1, 1, 1))))}


def train_sparse(densities: list[float]) -> Figures:
    """Return the steps per second of the digits network with sparse weights in SciPy."""
    return {"steps per second": _steps_per_second(sparse_step(initial_weights(densities)))}


def _steps_per_second(step: Step, n_steps: int = 2000) -> float:
    """Return the steps per CPU second, over batches of the same images; the loss has to fall."""
    from ipusim.training.data import load_digits, one_hot

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
