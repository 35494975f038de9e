"""Number formats that a workload has and a chip lacks, as problems of the workload's file."""

from __future__ import annotations

from ipusim.chip.amp import storage_format
from ipusim.chip.load import chip_names, load_chip
from ipusim.chip.model import Chip
from ipusim.errors import Problem
from ipusim.files.wording import Path, join_words
from ipusim.frontends.workload import Workload
from ipusim.ir.graph import Graph

ALWAYS = ("float16", "float32", "int32")
"""Formats that every chip has, in its vector path if not in its AMP."""


def format_problems(workload: Workload, chip: Chip, graph: Graph) -> list[Problem]:
    """Return one problem for each narrow format that tensors of `graph` have and the AMP of `chip` does not take."""
    used = dict.fromkeys(storage_format(tensor.dtype) for tensor in graph.tensors.values())
    missing = [name for name in used if name not in ALWAYS and not chip.amp_modes_for(name)]
    if not missing:
        return []
    chips = {name: load_chip(name) for name in chip_names()}
    problems = []
    for name in missing:
        able = [other for other, each in chips.items() if each.amp_modes_for(name)]
        message = f"{chip.name} has no {name} AMP"
        hint = f"{join_words(able, 'and')} ha{'s' if len(able) == 1 else 've'}; or give the chip amp_modes for it"
        problems.append(workload.document.problem(_place(workload, name), message, hint))
    return problems


def _place(workload: Workload, storage: str) -> Path:
    """Return where a file first asks for a format, as the hardware sees it."""
    for name, entry in workload.tensors.items():
        if entry.dtype and storage_format(entry.dtype) == storage:
            return ("tensors", name, "dtype")
    for position, op in enumerate(workload.document.data.get("ops", [])):
        if isinstance(op, dict) and storage_format(str(op.get("to", ""))) == storage:
            return ("ops", position, "to")
    return ("dtype",)
