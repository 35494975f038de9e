"""How far off a result may be: the error that was found for operators of its kind, and what was never measured."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from ipusim.chip.load import load_chip
from ipusim.chip.model import Chip
from ipusim.pipeline.compiling import Compiled
from ipusim.plan.graph import Plan
from ipusim.plan.problem import MatMulProblem
from ipusim.plan.sparse_problem import SparseProblem
from ipusim.plan.tile_plan import TilePlan

MEASURED_CHIP = "bow"
"""The chip of all packaged measurements of whole products."""


@dataclass(frozen=True, slots=True)
class Region:
    """Products of a kind that were held against hardware, and the documented error there.

    Attributes
    ----------
    mean_error : float
        Geometric mean of the factors by which cycles are off, less 1.
    worst_error : float
        The largest of these factors, less 1.
    formats : tuple of (str, str)
        Number formats of operands and partial sums.
    features, columns : tuple of (int, int)
        Least and largest rows and columns of the weight, and columns of the other operand.
    densities : tuple of (float, float)
    block_sizes : tuple of (int, int)
    """

    mean_error: float
    worst_error: float
    formats: tuple[tuple[str, str], ...]
    features: tuple[int, int]
    columns: tuple[int, int]
    densities: tuple[float, float] = (1.0, 1.0)
    block_sizes: tuple[int, int] = (1, 1)

    @property
    def extents(self) -> dict[str, tuple[float, float]]:
        """Least and largest values by what they are called in messages."""
        return {
            "features": self.features,
            "columns": self.columns,
            "density": self.densities,
            "block size": self.block_sizes,
        }


HALF, SINGLE = ("float16", "float16"), ("float32", "float32")
REGIONS: Mapping[str, Region] = {
    "dense": Region(0.03, 0.12, (HALF, SINGLE), (1024, 8192), (4, 65536)),
    "static": Region(0.12, 0.55, (HALF, SINGLE), (256, 8192), (4, 4096), (1 / 64, 1 / 4), (1, 16)),
    "dynamic": Region(
        0.08, 0.12, (HALF, ("float16", "float32"), SINGLE), (256, 8192), (256, 65536), (1 / 32, 1 / 4), (1, 16)
    ),
}
"""Kinds of products with measurements on a Bow (arXiv 2303.16999): ``ipusim validate`` keeps these errors."""


def uncertainty(compiled: Compiled, op_cycles: Callable[[str], int]) -> dict[str, Any]:
    """Return how far off the cycles of a program may be.

    Parameters
    ----------
    compiled : Compiled
    op_cycles : callable
        Cycles of an op by its name.

    Returns
    -------
    dict
        ``mean_error`` and ``worst_error``, weighted by the cycles of the ops with a validated region (None without
        any), ``validated_share`` of the cycles in such ops, and ``outside``: why the others have none, most cycles
        first.
    """
    total = inside = mean = worst = 0.0
    outside: dict[str, float] = {}
    streaming = _streaming_ops(compiled)
    plans = compiled.plans
    for op in compiled.graph.ops:
        cycles = float(op_cycles(op.name))
        total += cycles
        kind, reasons = _judge(compiled, op.kind, plans.get(op.name))
        if op.name in streaming:
            reasons.append("streaming from DRAM was never measured in a program")
        if reasons:
            for reason in reasons:
                outside[reason] = outside.get(reason, 0.0) + cycles
            continue
        inside += cycles
        mean += cycles * REGIONS[kind].mean_error
        worst += cycles * REGIONS[kind].worst_error
    return {
        "mean_error": mean / inside if inside else None,
        "worst_error": worst / inside if inside else None,
        "validated_share": inside / total if total else 0.0,
        "outside": sorted(outside, key=lambda reason: (-outside[reason], reason)),
    }


def _streaming_ops(compiled: Compiled) -> set[str]:
    """Return the ops that stream operands in from DRAM."""
    if compiled.program is None or not compiled.graph.dram_tensors:
        return set()
    return {step.op for step, _ in compiled.program.supersteps() if step.streams}


def _judge(compiled: Compiled, op_kind: str, plan: Plan | None) -> tuple[str, list[str]]:
    """Return the kind of product that an op is, and why it lies outside of what was measured."""
    problem = plan.problem if plan is not None and not isinstance(plan, TilePlan) else None
    if plan is None or not isinstance(problem, MatMulProblem | SparseProblem):
        return "", [f"{op_kind} was never measured in a program"]
    document = plan.to_dict()
    kind = str(document.get("mode", "dense"))
    reasons = [] if _is_measured(compiled.chip) else [f"{kind} matmul was measured on {MEASURED_CHIP} alone"]
    partials = str(document.get("partials", problem.partials_format))
    if (problem.inputs_format, partials) not in REGIONS[kind].formats:
        reasons.append(f"{kind} matmul of {problem.inputs_format} with {partials} partials was never measured")
    if getattr(problem, "groups", 1) > 1:
        reasons.append(f"{kind} matmul was never measured in batches")
    facts: dict[str, tuple[float, ...]] = {
        "density": (float(document.get("density", 1.0)),),
        "block size": (float(document.get("block_size", 1)),),
    }
    sides = [(problem.m, problem.n), (problem.n, problem.m)] if kind == "dense" else [(problem.m, problem.n)]
    beyond = [
        list(_beyond(kind, facts | {"features": (float(rows), float(problem.k)), "columns": (float(columns),)}))
        for rows, columns in sides
    ]
    return kind, [*reasons, *min(beyond, key=len)]


def _beyond(kind: str, facts: Mapping[str, tuple[float, ...]]) -> Iterator[str]:
    """Yield what of a product lies beyond the measured ones; the operands of a dense one have no order."""
    region = REGIONS[kind]
    for words, (least, most) in region.extents.items():
        if min(facts[words]) < least or max(facts[words]) > most:
            yield f"{kind} matmul was measured with {words} {least:.6g} to {most:.6g}"


@cache
def _measured_key() -> str:
    return load_chip(MEASURED_CHIP).content_key()


def _is_measured(chip: Chip) -> bool:
    return chip.content_key() == _measured_key()
