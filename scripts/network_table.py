#!/usr/bin/env python3
"""The table of networks in ipusim/frontends/models/README.md, simulated anew.

Usage: .venv/bin/python scripts/network_table.py [--chip NAME] [--write]

Prints the table; with --write it replaces the one in the README.
"""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from collections.abc import Mapping
from math import prod
from pathlib import Path
from typing import Any

from ipusim.files.atomic import write_atomic
from ipusim.frontends.models.registry import find_model
from ipusim.frontends.models.source import ModelContext
from ipusim.ops.registry import find_op
from ipusim.pipeline.run import Run
from ipusim.pipeline.simulation import simulate

README = Path(__file__).parents[1] / "ipusim" / "frontends" / "models" / "README.md"
BEGIN, END = "<!-- networks: begin -->\n", "<!-- networks: end -->\n"

NETWORKS: tuple[tuple[str, dict[str, Any]], ...] = (
    ("mlp", {}),
    ("transformer", {}),
    ("bert-base", {}),
    ("bert-base", {"batch": 8}),
    ("bert-large", {}),
    ("bert-large", {"sequence": 384}),
    ("gpt2", {}),
    ("gpt2", {"phase": "prefill", "sequence": 1024}),
    ("vit-b16", {}),
    ("vit-b16", {"batch": 8}),
    ("resnet50", {}),
    ("resnet50", {"batch": 8}),
    ("resnet50", {"batch": 16}),
    ("mobilenet-v1", {}),
    ("mobilenet-v1", {"batch": 8}),
    ("efficientnet-b0", {}),
    ("efficientnet-b0", {"batch": 8}),
    ("lstm", {}),
    ("dlrm", {}),
)


def parameters(name: str, options: Mapping[str, Any]) -> int:
    """Return the number of parameters of a model."""
    source = find_model(name)
    generated = source.build(source.options(**options), ModelContext(Path(), "float16"))
    return sum(prod(generated.tensors[weight]["shape"]) for weight in generated.weights)


def multiply_adds(run: Run) -> int:
    """Return the multiply-adds of all products and convolutions."""
    tensors, total = run.compiled.graph.tensors, 0
    for op in run.compiled.graph.ops:
        if op.kind in ("matmul", "conv2d"):
            inputs = tuple(tensors[each] for each in op.inputs)
            outputs = tuple(tensors[each] for each in op.outputs)
            total += find_op(op.kind).flops(inputs, outputs, op.attrs, tuple(each.n_elements for each in inputs)) // 2
    return total


def levers_taken(run: Run) -> str:
    """Return the levers that the compiler took, in the order in which it took them."""
    counts = Counter(lever.kind for lever in run.compiled.levers_taken)
    return ", ".join(f"{count} {kind}" if count > 1 else kind for kind, count in counts.items()) or "-"


def row(name: str, options: Mapping[str, Any], chip: str) -> str:
    """Simulate one network and return its line of the table."""
    run = simulate({"name": name, "model": {name: dict(options)}}, chip, explain=False)
    memory = run.memory
    peak = f"{memory['max_tile_bytes'] / 1024:,.0f} KiB" if memory else "no plan"
    fits = "yes" if run.infeasible is None else "no"
    cycles = f"{run.cycles:,}" if run.cycles else "-"
    seconds = f"{run.seconds * 1e3:.3f} ms" if run.seconds else "-"
    what = ", ".join(f"{key} {value}" for key, value in options.items()) or "defaults"
    size = f"{parameters(name, options) / 1e6:.2f} M"
    work = f"{multiply_adds(run) / 1e9:.3f} G"
    levers = levers_taken(run)
    return f"| `{name}` | {what} | {size} | {work} | {peak} | {fits} | {levers} | {cycles} | {seconds} |"


def main() -> int:
    """Print or write the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--chip", default="bow")
    parser.add_argument("--write", action="store_true")
    arguments = parser.parse_args()
    lines = [
        "| model | options | parameters | multiply-adds | peak of a tile | fits | levers taken | cycles | time |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for name, options in NETWORKS:
        lines.append(row(name, options, arguments.chip))
        print(lines[-1], file=sys.stderr, flush=True)
    table = "\n".join(lines) + "\n"
    if not arguments.write:
        print(table, end="")
        return 0
    before, _, rest = README.read_text(encoding="utf-8").partition(BEGIN)
    _, _, after = rest.partition(END)
    write_atomic(README, f"{before}{BEGIN}{table}{END}{after}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
