"""How long something takes and how much memory a process takes; what the machine is, and how fast just now."""

from __future__ import annotations

import json
import os
import platform
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from math import log
from pathlib import Path
from typing import Any

import numpy as np

ROOT = Path(__file__).parents[2]
Figures = dict[str, float]
TO_MIB = 1024**2 if sys.platform == "darwin" else 1024
"""What the system counts memory in."""


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
    return Used(wall_s, cpu_s, peak / TO_MIB, done.stdout)


@dataclass(frozen=True, slots=True)
class Part:
    """What a part of a bench has found, and the largest memory of the process that it had for itself."""

    figures: Figures
    peak_mib: float


_PART = """
import importlib, json, sys
module, name, arguments = sys.argv[1:]
print(json.dumps(getattr(importlib.import_module(module), name)(*json.loads(arguments))))
"""


def run_part(part: Callable[..., Figures], *arguments: Any) -> Part:
    """Run a function of a module of the benches in a process of its own: its memory is that of nothing else.

    Plans are searched for anew; compiled code is there already.

    Parameters
    ----------
    part : function
        At the top of its module.
    *arguments
        That JSON can say.

    Raises
    ------
    RuntimeError
        When it fails.
    """
    path = os.pathsep.join(filter(None, (str(ROOT / "scripts"), str(ROOT), os.environ.get("PYTHONPATH"))))
    command = [sys.executable, "-c", _PART, part.__module__, part.__name__, json.dumps(arguments)]
    known = _n_compiled()
    with without_plans() as folder:
        used = run_process(command, PYTHONPATH=path, IPUSIM_CACHE_DIR=folder)
    if _n_compiled() != known:  # once more: the first one had to compile
        with without_plans() as folder:
            used = run_process(command, PYTHONPATH=path, IPUSIM_CACHE_DIR=folder)
    return Part(json.loads(used.output.splitlines()[-1]), used.peak_mib)


@contextmanager
def without_plans() -> Iterator[str]:
    """Return a cache folder for a while that has the compiled code of the real one, but no plans of earlier runs."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "numba").symlink_to(_compiled())
        yield folder


def _n_compiled() -> int:
    return sum(1 for _ in _compiled().rglob("*"))


def _compiled() -> Path:
    from ipusim.kernels.jit import cache_folder  # not at the top: the processes of others load nothing of ipusim

    folder = cache_folder().absolute() / "numba"
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def figures_of(part: Callable[..., Figures], *arguments: Any) -> Figures:
    """Return the figures of a part, and the peak of its memory."""
    done = run_part(part, *arguments)
    return {**done.figures, "peak memory (MiB)": done.peak_mib}


def beside(what: str, name: str, ours: Part, theirs: Part) -> Figures:
    """Return the figures of two parts that both measure ``s``, the other one's by `name`."""
    return {
        f"{what}, ipusim (s)": ours.figures["s"],
        f"{what}, speed relative to {name}": theirs.figures["s"] / ours.figures["s"],
        f"{what}, ipusim, peak (MiB)": ours.figures.get("peak_mib", ours.peak_mib),
        f"{what}, {name}, peak (MiB)": theirs.peak_mib,
    }


def peak_mib() -> float:
    """Return the largest memory that this process has had until now."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / TO_MIB


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
