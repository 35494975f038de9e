#!/usr/bin/env python3
"""Speed and memory of ipusim, side by side in one run with what it can be compared with.

Usage: .venv/bin/python scripts/bench.py [--only NAME ...] [--against FILE] [--json | --markdown] [-o FILE] [--write]

Times are CPU seconds on one thread unless a label says "clock": other work on the machine changes them little. Memory
is the largest that a process had resident; every part has a process of its own, whose Python, packages and compiled
code count. Ratios are between figures of the same run; absolute figures are this machine's. Earlier figures
(tests/data/bench.json, or another file that -o made) are compared relative to a fixed piece of work that every run
measures, so that a slower machine is not taken for slower code; memory is compared as it is. SCALE-Sim is installed
into an environment of its own in ipusim's cache folder; without a network its benches are skipped, and say so.

Figures of a quiet machine for the repository, and the table in the README (some ten minutes on two cores):

    .venv/bin/python scripts/bench.py -o tests/data/bench.json --write

and the same table again, from the file, without measuring: scripts/bench.py --show tests/data/bench.json --write
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
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
from benchmarks.tables import changes_table, markdown_table, text_table, with_table  # noqa: E402

from ipusim.files.atomic import write_atomic  # noqa: E402
from ipusim.training.data import MissingPackageError  # noqa: E402

EARLIER = ROOT / "tests" / "data" / "bench.json"
README = ROOT / "README.md"
BENCHES: dict[str, Callable[[], Figures]] = {
    "scale_sim": scale_sim.scale_sim,
    "resnet50": scale_sim.resnet50,
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
ABOUT = {name: " ".join((bench.__doc__ or "").split()) for name, bench in BENCHES.items()}


def main() -> int:
    """Run the chosen benches and show their figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="+", choices=BENCHES, metavar="NAME", help=f"some of: {', '.join(BENCHES)}")
    parser.add_argument("--against", type=Path, default=EARLIER, metavar="FILE", help="earlier figures, made by -o")
    parser.add_argument("--show", type=Path, metavar="FILE", help="the figures of a file, made by -o: measure nothing")
    shape = parser.add_mutually_exclusive_group()
    shape.add_argument("--json", action="store_true", help="one JSON document instead of tables")
    shape.add_argument("--markdown", action="store_true", help="one Markdown table instead of text")
    parser.add_argument("-o", "--output", type=Path, metavar="FILE", help="write JSON there after each bench")
    parser.add_argument("--write", action="store_true", help="put the Markdown table into the README")
    chosen = parser.parse_args()
    try:
        earlier = read_figures(chosen.against)
        shown = read_figures(chosen.show) if chosen.show else None
    except (OSError, ValueError) as error:
        parser.error(f"{'--show' if chosen.show else '--against'}: {error}")
    names = chosen.only or list(BENCHES)
    document: dict[str, Any]
    for name, document in each_of(shown, names) if shown else measure(names):
        if not chosen.json and not chosen.markdown and name in document["figures"]:
            print(text_table(name, ABOUT.get(name, name), document["figures"][name]))
        if chosen.output:
            write_atomic(chosen.output, json.dumps(document, indent=2) + "\n")
    if chosen.json:
        print(json.dumps(document, indent=2))
    elif chosen.markdown:
        print(markdown_table(document, ABOUT))
    elif found := changes(document, earlier):
        print(changes_table(found, document["calibration_s"] / earlier["calibration_s"]))
    if chosen.write:
        write_atomic(README, with_table(README.read_text(), markdown_table(document, ABOUT)))
    return 0


def each_of(shown: dict[str, Any], names: list[str]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Return the benches of a document by their names, each with the document of all of them."""
    figures = {name: shown["figures"][name] for name in names if name in shown["figures"]}
    for name in names:
        yield name, {**shown, "figures": figures}


def measure(names: list[str]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Return, after each bench, its name and the document of all figures so far."""
    figures: dict[str, Figures] = {}
    skipped: dict[str, str] = {}
    start, calibration = time.perf_counter(), calibrate()
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
                "clock_s": time.perf_counter() - start,
                "figures": dict(figures),
                "skipped": dict(skipped),
            },
        )


if __name__ == "__main__":
    sys.exit(main())
