#!/usr/bin/env python3
"""Speed and memory of ipusim, side by side in one run with what it can be compared with.

Usage: .venv/bin/python scripts/bench.py [--only NAME ...] [--against FILE] [--json | --markdown] [-o FILE]

Times are CPU seconds on one thread unless a label says "clock": other work on the machine changes them little. Ratios
are between figures of the same run; absolute figures are this machine's. Earlier figures (tests/data/bench.json, or
another file that --json made) are compared relative to a fixed piece of work that every run measures, so that a slower
machine is not taken for slower code. SCALE-Sim is installed into an environment of its own in ipusim's cache folder;
without a network that bench is skipped, and says so. A whole run takes about ten minutes.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

for name in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[name] = "1"
ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))
os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, (str(ROOT), os.environ.get("PYTHONPATH"))))

from benchmarks import computing, growing, learning, scale_sim, simulating  # noqa: E402
from benchmarks.history import SCHEMA, changes, read_figures  # noqa: E402
from benchmarks.measuring import Figures, calibrate, describe_machine  # noqa: E402
from benchmarks.tables import changes_table, markdown_table, text_table  # noqa: E402

from ipusim.files.atomic import write_atomic  # noqa: E402
from ipusim.training.data import MissingPackageError  # noqa: E402

EARLIER = ROOT / "tests" / "data" / "bench.json"
BENCHES: dict[str, Callable[[], Figures]] = {
    "scale_sim": scale_sim.scale_sim,
    "dense_execution": computing.dense_execution,
    "sparse_execution": computing.sparse_execution,
    "training": learning.training,
    "planning": simulating.planning,
    "timing": simulating.timing,
    "partitioning": simulating.partitioning,
    "explore": simulating.explore,
    "startup": simulating.startup,
    "validate": simulating.validate,
    "report": simulating.report,
    "growth": growing.growth,
    "network": growing.network,
}
ABOUT = {name: (bench.__doc__ or "").strip() for name, bench in BENCHES.items()}


def main() -> int:
    """Run the chosen benches and show their figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="+", choices=BENCHES, metavar="NAME", help=f"some of: {', '.join(BENCHES)}")
    parser.add_argument("--against", type=Path, default=EARLIER, metavar="FILE", help="earlier figures, made by --json")
    shape = parser.add_mutually_exclusive_group()
    shape.add_argument("--json", action="store_true", help="one JSON document instead of tables")
    shape.add_argument("--markdown", action="store_true", help="one Markdown table instead of text")
    parser.add_argument("-o", "--output", type=Path, metavar="FILE", help="write JSON there after each bench")
    chosen = parser.parse_args()
    try:
        earlier = read_figures(chosen.against)
    except (OSError, ValueError) as error:
        parser.error(f"--against: {error}")
    document: dict[str, Any]
    for name, document in measure(chosen.only or list(BENCHES)):
        if not chosen.json and not chosen.markdown and name in document["figures"]:
            print(text_table(name, ABOUT[name], document["figures"][name]))
        if chosen.output:
            write_atomic(chosen.output, json.dumps(document, indent=2) + "\n")
    if chosen.json:
        print(json.dumps(document, indent=2))
    elif chosen.markdown:
        print(markdown_table(document, ABOUT))
    elif found := changes(document, earlier):
        print(changes_table(found, document["calibration_s"] / earlier["calibration_s"]))
    return 0


def measure(names: list[str]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Return, after each bench, its name and the document of all figures so far."""
    figures: dict[str, Figures] = {}
    skipped: dict[str, str] = {}
    calibration = calibrate()
    for name in names:
        print(f"bench: {name}", file=sys.stderr)
        try:
            figures[name] = BENCHES[name]()
        except (scale_sim.SkippedError, MissingPackageError) as error:
            skipped[name] = str(error)
            print(f"bench: {name} is skipped: {error}", file=sys.stderr)
        calibration = min(calibration, calibrate())
        yield (
            name,
            {
                "schema": SCHEMA,
                "machine": describe_machine(),
                "calibration_s": calibration,
                "figures": dict(figures),
                "skipped": dict(skipped),
            },
        )


if __name__ == "__main__":
    sys.exit(main())
