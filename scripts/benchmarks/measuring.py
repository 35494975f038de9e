"""How long something takes and how much memory a process takes; what the machine is, and how fast just now."""

from __future__ import annotations

import json
import os
import platform
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from math import log
from pathlib import Path
from typing import Any

import numpy as np

ROOT = Path(__file__).parents[2]
Figures = dict[str, float]


def seconds(run: Callable[[], object], repeats: int = 3) -> float:
    """Return the least CPU seconds of a few runs: what others do on the machine matters little to them."""
    best = float("inf")
    for _ in range(repeats):
        start = time.process_time()
        run()
        best = min(best, time.process_time() - start)
    return best


@dataclass(frozen=True, slots=True)
class Used:
    """What a process has used: seconds on the clock and of processors, its largest memory, and what it printed."""

    wall_s: float
    cpu_s: float
    peak_mib: float
    output: str


_BETWEEN = """
import json, os, subprocess, sys
process = subprocess.Popen(sys.argv[1:])
_, status, usage = os.wait4(process.pid, 0)
process.returncode = os.waitstatus_to_exitcode(status)
print("\\n" + json.dumps([process.returncode, usage.ru_utime + usage.ru_stime, usage.ru_maxrss]), file=sys.stderr)
"""
"""A small process that starts the one to be measured: a child begins with the peak of memory of its parent."""


def run_process(command: Sequence[str], **environment: str) -> Used:
    """Run a process to its end.

    Raises
    ------
    RuntimeError
        When it fails.
    """
    start = time.perf_counter()
    whole = {**os.environ, **environment}
    done = subprocess.run([sys.executable, "-S", "-c", _BETWEEN, *command], capture_output=True, text=True, env=whole)
    wall_s = time.perf_counter() - start
    *errors, last = done.stderr.splitlines()
    exit_code, cpu_s, peak = json.loads(last)
    if exit_code:
        raise RuntimeError(f"{' '.join(command)} ended with {exit_code}: {' '.join(errors)[-500:]}")
    to_mib = 1024**2 if sys.platform == "darwin" else 1024
    return Used(wall_s, cpu_s, peak / to_mib, done.stdout)


def ipusim(*words: str, **environment: str) -> Used:
    """Run the command line in a process of its own."""
    return run_process([sys.executable, "-m", "ipusim", *words], **environment)


def exponent(points: Mapping[float, float]) -> float:
    """Return the power of its size that something grows with: the slope of a straight line through the logarithms.

    Parameters
    ----------
    points : mapping of size to measurement
        At least two, all positive.
    """
    xs, ys = np.array([log(size) for size in points]), np.array([log(value) for value in points.values()])
    return float(((xs - xs.mean()) * (ys - ys.mean())).sum() / ((xs - xs.mean()) ** 2).sum())


def calibrate() -> float:
    """Return the CPU seconds of a fixed piece of work, half of it Python's and half numpy's.

    Figures of two runs are compared relative to it, since machines, and what else runs on them, differ.
    """
    numbers = np.random.default_rng(0).standard_normal(400_000)

    def work() -> float:
        total = 0
        for number in range(600_000):
            total += number % 7
        return total + float(np.sort(numbers).cumsum()[-1])

    return seconds(work, 5)


def describe_machine() -> dict[str, Any]:
    """Return what figures depend on, in general words."""
    return {
        "cores": os.cpu_count(),
        "architecture": platform.machine(),
        "system": platform.system(),
        "python": platform.python_version(),
        "numpy": np.__version__,
    }


def matmul(m: int, k: int, n: int, dtype: str, **weight: Any) -> dict[str, Any]:
    """Return a workload of one matrix product; `weight` describes the left operand further."""
    return {
        "name": "bench",
        "dtype": dtype,
        "tensors": {"w": {"shape": [m, k], **weight}, "x": {"shape": [k, n]}},
        "ops": [{"op": "matmul", "inputs": ["w", "x"], "output": "y", "partials": dtype}],
    }
