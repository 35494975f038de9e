#!/usr/bin/env python3
"""The table of sparse training steps in workloads/training/README.md, simulated anew.

Usage: .venv/bin/python scripts/sparse_training_table.py [--write] [--rows BLOCK:DENSITY ...]

Prints the table, line by line; with --write it replaces the one in the README. With --rows other lines are left as they
are in the README, such as `--rows 16:1/4 1:1/8`.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from ipusim.files.atomic import write_atomic
from ipusim.frontends.training_entry import MethodName
from ipusim.pipeline.compiling import load_inputs
from ipusim.training.programs import DoesNotFitError, Programs
from ipusim.training.setup import initial_masks, prepare

README = Path(__file__).parents[1] / "workloads" / "training" / "README.md"
BEGIN, END = "<!-- steps: begin -->\n", "<!-- steps: end -->\n"

WORKLOAD = "training/ffn"
BLOCK_SIZES = (16, 8, 4, 1)
DENSITIES = ("1/4", "1/8", "1/16", "1/32")
HEAD = (
    "| block | density | static, cycles | x | RigL, cycles | x | dense gradients, cycles | share of changes |",
    "|---|---|---|---|---|---|---|---|",
)


def cost(method: MethodName, block_size: int = 1, density: str = "1") -> tuple[int, int, float] | None:
    """Return cycles of a step and of the dense gradients, and the share of changing connections; None if too large."""
    settings = [f"training.sparsity.block_size={block_size}", f"training.sparsity.density={density}"]
    workload, chip = load_inputs(WORKLOAD, None, settings)
    setup = prepare(workload, method)
    programs = Programs(workload, chip, setup, initial_masks(setup))
    try:
        step = programs.step()
        if setup.schedule is None:
            return step.cost.cycles, 0, 0.0
        gradients = programs.dense_gradients()
    except DoesNotFitError:
        return None
    changing_s = step.update_s + gradients.cost.seconds
    share = changing_s / ((setup.schedule.every - 1) * step.cost.seconds + changing_s)
    return step.cost.cycles, gradients.cost.cycles, share


def line(block_size: int, density: str, dense_cycles: int) -> str:
    """Return a line of the table."""
    cells = [str(block_size), density]
    for method in ("static", "rigl"):
        found = cost(method, block_size, density)
        cells += [f"{found[0]:,}", f"{dense_cycles / found[0]:.2f}"] if found else ["does not fit", "-"]
    cells += [f"{found[1]:,}", f"{100 * found[2]:.1f} %"] if found else ["-", "-"]
    return f"| {' | '.join(cells)} |"


def main() -> int:
    """Print the table, or write it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--write", action="store_true", help="replace the table in the README")
    parser.add_argument("--rows", nargs="+", metavar="BLOCK:DENSITY", help="simulate these lines alone")
    arguments = parser.parse_args()
    known = README.read_text().partition(BEGIN)[2].partition(END)[0].splitlines() if arguments.rows else []
    dense = cost("dense")
    assert dense is not None
    lines = [f"Dense: {dense[0]:,} cycles a step.", "", *HEAD]
    print("\n".join(lines), flush=True)
    for block_size in BLOCK_SIZES:
        for density in DENSITIES:
            start = f"| {block_size} | {density} |"
            kept = next((each for each in known if each.startswith(start)), "")
            wanted = not kept or f"{block_size}:{density}" in arguments.rows
            lines.append(line(block_size, density, dense[0]) if wanted else kept)
            print(lines[-1], flush=True)
    if arguments.write:
        before, _, rest = README.read_text().partition(BEGIN)
        after = rest.partition(END)[2]
        write_atomic(README, before + BEGIN + "\n".join(lines) + "\n" + END + after)
    return 0


if __name__ == "__main__":
    sys.exit(main())
