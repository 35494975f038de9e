"""How far off a result may be: the error that was found for operators of its kind, and what was never measured."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, NamedTuple

from ipusim.chip.load import load_chip
from ipusim.chip.model import Chip
from ipusim.pipeline.compiling import Compiled
from ipusim.plan.graph import Plan
from ipusim.plan.problem import MatMulProblem
from ipusim.plan.sparse_problem import SparseProblem
from ipusim.plan.tile_plan import TilePlan

MEASURED_CHIP = "bow"
"""The chip of all packaged measurements of whole products."""

Uncertainty = Mapping[str, Any]
"""What :func:`uncertainty` returns."""


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


class Reason(NamedTuple):
    """Why something lies outside of what was measured.

    Attributes
    ----------
    word : str
        In a word, for a table: ``chip``, ``format``, ``size``, ``sparsity``, ``batch``, ``operator`` or ``DRAM``.
    text : str
        In a sentence.
    """

    word: str
    text: str


_WORDS = {"features": "size", "columns": "size", "density": "sparsity", "block size": "sparsity"}


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
        any), ``validated_share`` of the cycles in such ops, ``outside``: why the others have none, most cycles
        first, ``outside_words``: the same in a word each, and ``kind_error``: the mean error of matrix products of the
        same kinds where they were measured, whether these were or not (None without any).
    """
    streaming = _streaming_ops(compiled)
    plans = compiled.plans
    parts = []
    for op in compiled.graph.ops:
        kind, reasons = _judge(compiled, op.kind, plans.get(op.name))
        if op.name in streaming:
            reasons.append(Reason("DRAM", "streaming from DRAM was never measured in a program"))
        parts.append((float(op_cycles(op.name)), _of_op(kind, reasons)))
    return weighted_uncertainty(parts)


def weighted_uncertainty(parts: Iterable[tuple[float, Uncertainty]]) -> dict[str, Any]:
    """Return how far off a weighted sum of cycles may be.

    Parameters
    ----------
    parts : iterable of (float, Mapping)
        Cycles with their weight, and how far off they may be, as :func:`uncertainty` says it.

    Returns
    -------
    dict
        As of :func:`uncertainty`.
    """
    total = inside = mean = worst = kind = of_kinds = 0.0
    outside: dict[str, float] = {}
    words: dict[str, float] = {}
    for cycles, found in parts:
        share = cycles * found["validated_share"]
        total += cycles
        inside += share
        mean += share * (found["mean_error"] or 0.0)
        worst += share * (found["worst_error"] or 0.0)
        if found["kind_error"] is not None:
            kind += cycles * found["kind_error"]
            of_kinds += cycles
        for weights, names in ((outside, found["outside"]), (words, found["outside_words"])):
            for name in names:
                weights[name] = weights.get(name, 0.0) + cycles - share
    return {
        "mean_error": mean / inside if inside else None,
        "worst_error": worst / inside if inside else None,
        "validated_share": inside / total if total else 0.0,
        "outside": sorted(outside, key=lambda name: (-outside[name], name)),
        "outside_words": sorted(words, key=lambda name: (-words[name], name)),
        "kind_error": kind / of_kinds if of_kinds else None,
    }


def _of_op(kind: str, reasons: Sequence[Reason]) -> dict[str, Any]:
    """Return how far off the cycles of one op may be."""
    region = REGIONS.get(kind)
    known = None if reasons else region
    return {
        "mean_error": known and known.mean_error,
        "worst_error": known and known.worst_error,
        "validated_share": 0.0 if reasons else 1.0,
        "outside": [each.text for each in reasons],
        "outside_words": list(dict.fromkeys(each.word for each in reasons)),
        "kind_error": region and region.mean_error,
    }


def _streaming_ops(compiled: Compiled) -> set[str]:
    """Return the ops that stream operands in from DRAM."""
    if compiled.program is None or not compiled.graph.dram_tensors:
        return set()
    return {step.op for step, _ in compiled.program.supersteps() if step.streams}


def _judge(compiled: Compiled, op_kind: str, plan: Plan | None) -> tuple[str, list[Reason]]:
    """Return the kind of product that an op is, and why it lies outside of what was measured."""
    problem = plan.problem if plan is not None and not isinstance(plan, TilePlan) else None
    if plan is None or not isinstance(problem, MatMulProblem | SparseProblem):
        return "", [Reason("operator", f"{op_kind} was never measured in a program")]
    document = plan.to_dict()
    kind = str(document.get("mode", "dense"))
    reasons: list[Reason] = []
    if not _is_measured(compiled.chip):
        reasons.append(Reason("chip", f"{kind} matmul was measured on {MEASURED_CHIP} alone"))
    partials = str(document.get("partials", problem.partials_format))
    if (problem.inputs_format, partials) not in REGIONS[kind].formats:
        text = f"{kind} matmul of {problem.inputs_format} with {partials} partials was never measured"
        reasons.append(Reason("format", text))
    if getattr(problem, "groups", 1) > 1:
        reasons.append(Reason("batch", f"{kind} matmul was never measured in batches"))
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


def _beyond(kind: str, facts: Mapping[str, tuple[float, ...]]) -> Iterator[Reason]:
    """Yield what of a product lies beyond the measured ones; the operands of a dense one have no order."""
    region = REGIONS[kind]
    for words, (least, most) in region.extents.items():
        if min(facts[words]) < least or max(facts[words]) > most:
            yield Reason(_WORDS[words], f"{kind} matmul was measured with {words} {least:.6g} to {most:.6g}")


@cache
def _measured_key() -> str:
    return load_chip(MEASURED_CHIP).content_key()


def _is_measured(chip: Chip) -> bool:
    return chip.content_key() == _measured_key()
