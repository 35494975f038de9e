"""Steps of training of the digits network: ipusim's executed program beside the same network in NumPy and SciPy.

ipusim computes every step in the order and the rounding of the chip's program, counts its cycles and, with RigL,
compiles new programs whenever connections change; NumPy and SciPy just compute.
"""

from __future__ import annotations

import time

from benchmarks import peers
from benchmarks.measuring import Figures, run_part
from ipusim.chip.load import load_chip
from ipusim.frontends.training_entry import MethodName
from ipusim.frontends.workload import load_workload
from ipusim.training.loop import Training
from ipusim.training.setup import prepare

STEPS = 120
"""Of each training: RigL changes connections twice or three times meanwhile."""
METHODS: tuple[MethodName, ...] = ("dense", "static", "rigl")
WEIGHTS = ("w1", "w2", "w3")


def training() -> Figures:
    """Steps of training of digits-mlp (64-320-128-10, batch 64, float32, 16 tiles)"""
    parts = {f"ipusim {method}": run_part(train, method) for method in METHODS}
    densities = [parts["ipusim rigl"].figures[name] for name in WEIGHTS]
    parts["numpy dense"] = run_part(peers.train_dense)
    parts["scipy.sparse static"] = run_part(peers.train_sparse, densities)
    rates = {name: part.figures["steps per second"] for name, part in parts.items()}
    return {
        **{f"{name}, steps per second": rate for name, rate in rates.items()},
        "dense, speed relative to numpy": rates["ipusim dense"] / rates["numpy dense"],
        "static, speed relative to scipy.sparse": rates["ipusim static"] / rates["scipy.sparse static"],
        "rigl, speed relative to scipy.sparse": rates["ipusim rigl"] / rates["scipy.sparse static"],
        **{f"{name}, peak (MiB)": part.peak_mib for name, part in parts.items()},
    }


def train(method: MethodName) -> Figures:
    """Return the steps per CPU second, the test at the end included, and the densities of the three weights."""
    _run(method, 2)
    taken, figures = _run(method, STEPS)
    return {"steps per second": STEPS / taken, **figures}


def _run(method: MethodName, n_steps: int) -> tuple[float, Figures]:
    workload = load_workload("training/digits-mlp")
    setup = prepare(workload, method, n_steps, 0)
    run = Training(workload, load_chip("bow", n_tiles=16), setup, 1)
    start = time.process_time()
    run.run(None, None)
    return time.process_time() - start, {name: float(setup.densities.get(name, 1.0)) for name in WEIGHTS}
