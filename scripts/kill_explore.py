#!/usr/bin/env python3
"""Kill an exploration at random moments, resume it each time, and compare its store with an undisturbed one.

Usage: .venv/bin/python scripts/kill_explore.py [--kills 20] [--workers 2] [--seed 0]

Every round starts the exploration in a process group of its own and ends the whole group with SIGKILL after a random
time. The last start runs to its end. The exit code is 0 if both stores hold the same.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
CODE = (
    "import json, sys, ipusim\n"
    "ipusim.explore(json.load(open(sys.argv[1])), store=sys.argv[2], workers=int(sys.argv[3]))"
)

SPACE: dict[str, Any] = {
    "name": "killed",
    "chip": "bow",
    "workloads": [
        {
            "name": "product",
            "tensors": {"w": {"shape": [512, 512]}, "x": {"shape": [512, 256]}},
            "ops": [{"op": "matmul", "inputs": ["w", "x"], "output": "y"}],
        }
    ],
    "parameters": {
        "n_tiles": {"from": 64, "to": 640, "step": 4},
        "exchange_bytes_per_cycle": [4, 8],
        "sync_cycles": [100, 200, 300],
    },
}


def start(folder: Path, store: str, workers: int) -> subprocess.Popen[bytes]:
    """Start an exploration in a process group of its own."""
    command = [sys.executable, "-c", CODE, str(folder / "space.json"), str(folder / store), str(workers)]
    return subprocess.Popen(command, start_new_session=True, env={**os.environ, "PYTHONPATH": str(ROOT)})


def contents(path: Path) -> list[Any]:
    """Return all of a store that may not depend on how it came about."""
    connection = sqlite3.connect(path)
    tables = [
        connection.execute(f"SELECT * FROM {table} ORDER BY 1, 2").fetchall()
        for table in ("results", "points", "spaces")
    ]
    sound = connection.execute("PRAGMA integrity_check").fetchone()
    connection.close()
    return [tables, sound]


def n_results(path: Path) -> int:
    """Return how many simulations a store holds."""
    with suppress(sqlite3.Error):
        connection = sqlite3.connect(path)
        with suppress(sqlite3.Error):
            return int(connection.execute("SELECT count(*) FROM results").fetchone()[0])
        connection.close()
    return 0


def main() -> int:
    """Run the comparison, and return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    chance = random.Random(options.seed)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "space.json").write_text(json.dumps(SPACE))
        begin = time.monotonic()
        if start(folder, "undisturbed.sqlite", options.workers).wait():
            return 1
        whole = time.monotonic() - begin
        total = n_results(folder / "undisturbed.sqlite")
        print(f"undisturbed: {total} simulations in {whole:.1f} s")
        for number in range(options.kills):
            process = start(folder, "killed.sqlite", options.workers)
            before = n_results(folder / "killed.sqlite")
            wanted = before + max(1, round(chance.random() * 1.8 * total / (options.kills + 1)))
            while process.poll() is None and n_results(folder / "killed.sqlite") < min(wanted, total - 1):
                time.sleep(0.02)
            time.sleep(chance.random() * 0.05)
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            print(f"kill {number + 1}: {n_results(folder / 'killed.sqlite')} simulations", flush=True)
        if start(folder, "killed.sqlite", options.workers).wait():
            return 1
        same = contents(folder / "killed.sqlite") == contents(folder / "undisturbed.sqlite")
    print("the stores are the same" if same else "the stores differ")
    return int(not same)


if __name__ == "__main__":
    sys.exit(main())
