"""A small network that learns three classes, on a chip of four tiles."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np


def write_classes(folder: Path) -> Path:
    """Write a file with images of three classes that differ in which features are bright."""
    rng = np.random.default_rng(0)
    labels = np.arange(96) % 3
    images = rng.uniform(size=(96, 8)) + 2.0 * (np.arange(8)[None] % 3 == labels[:, None])
    path = folder / "classes.npz"
    np.savez(path, x_train=images[:80], y_train=labels[:80], x_test=images[80:], y_test=labels[80:])
    return path


def classes_workload(data: Path, **changes: Any) -> dict[str, Any]:
    """Return a network of two layers on a tiny chip."""
    training = {
        "data": {"file": str(data)},
        "inputs": {"images": "x", "targets": "targets"},
        "loss": "loss",
        "predictions": "logits",
        "optimiser": {"sgd": {"momentum": 0.5}},
        "learning_rate": {"value": 0.2},
        "steps": 12,
        "log_every": 4,
        "sparsity": {"method": "rigl", "density": 0.5, "distribution": "uniform", "every": 3, "dense": ["w2"]},
        **changes,
    }
    return {
        "name": "classes",
        "chip": "tiny",
        "dtype": "float32",
        "tensors": {
            "x": {"shape": [8, 8]},
            "targets": {"shape": [8, 3]},
            "w1": {"shape": [8, 16], "init": {"normal": {"scale": 0.4}}},
            "b1": {"shape": [16], "init": "zeros"},
            "w2": {"shape": [16, 3], "init": {"normal": {"scale": 0.4}}},
        },
        "ops": [
            {"op": "matmul", "inputs": ["x", "w1"], "output": "p"},
            {"op": "add", "inputs": ["p", "b1"], "output": "s"},
            {"op": "relu", "inputs": ["s"], "output": "h"},
            {"op": "matmul", "inputs": ["h", "w2"], "output": "logits"},
            {"op": "cross_entropy", "inputs": ["logits", "targets"], "output": "loss"},
        ],
        "outputs": ["logits", "loss"],
        "training": training,
    }
