"""What the simulation of one point says: figures, or why there are none."""

from __future__ import annotations

import traceback
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Protocol

from ipusim.errors import BadInputError, IpusimError
from ipusim.files.wording import shorten
from ipusim.report.numbers import format_bytes
from ipusim.report.plans import plan_line
from ipusim.sparse.patterns.spec import PatternError

OK = "ok"
INFEASIBLE = "infeasible"
BAD_INPUT = "bad_input"
FAILED = "failed"
NOT_RUN = "not_run"
STATUSES = (OK, INFEASIBLE, BAD_INPUT, FAILED, NOT_RUN)
"""Simulated; does not fit the chip; no valid workload; an error of ipusim or of the machine; interrupted before."""

_LONGEST_REASON = 300


class Measured(Protocol):
    """What is read of :class:`~ipusim.pipeline.errors.OutputErrors`."""

    @property
    def maximum(self) -> float | None:
        """Largest relative error."""

    @property
    def root_mean_square(self) -> float | None:
        """Root mean square of the relative errors."""


Errors = Callable[[Any], Measured]


class Result(Protocol):
    """What is read of a :class:`~ipusim.pipeline.run.Run`."""

    @property
    def cycles(self) -> int | None:
        """Cycles, if it fits."""

    @property
    def seconds(self) -> float | None:
        """Time in seconds, if it fits."""

    @property
    def flops(self) -> int:
        """Useful floating-point operations."""

    @property
    def energy_j(self) -> float | None:
        """Energy in joules, where there is a model of it."""

    @property
    def energy_by_component(self) -> Mapping[str, float] | None:
        """Energy in joules by component, where there is a model of it."""

    @property
    def cycles_by_phase(self) -> Mapping[str, int | None]:
        """Cycles in compute, exchange and sync."""

    @property
    def memory(self) -> Mapping[str, Any]:
        """Memory of the fullest tile."""

    @property
    def ops(self) -> list[dict[str, Any]]:
        """Figures and plans of the operators."""

    @property
    def uncertainty(self) -> Mapping[str, Any] | None:
        """How far off the cycles may be, if it fits."""

    @property
    def infeasible(self) -> Mapping[str, Any] | None:
        """Why it does not fit."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """Figures of one point.

    Attributes
    ----------
    status : str
        One of :data:`STATUSES`.
    reason : str
        Why there are no figures; empty where there are.
    cycles : int or None
    seconds : float or None
    flops : int or None
        Useful floating-point operations: 2 per multiply-add, non-zeros only.
    energy_j : float or None
        In joules.
    cycles_by_phase : Mapping of str to int
        Compute, exchange and sync.
    max_tile_bytes, tile_sram_bytes : int or None
        What the fullest tile holds or would have to, and what it can.
    plan : str
        The plans of the matmuls, in one line.
    pattern_update : Mapping of str to float, or None
        What new patterns of all dynamic weights cost beside the cycles: ``host_s``, ``upload_s`` and ``upload_bytes``.
    propagation_steps : int or None
        Steps in which overflowing buckets of dynamic weights are passed on, over all ops; None without such weights.
    energy_by_component : Mapping of str to float
        In joules; empty where it is not known.
    max_relative_error, rms_relative_error : float or None
        Of the outputs against float64 (see :class:`~ipusim.pipeline.errors.OutputErrors`); None where they were not
        executed or are not finite.
    uncertainty : Mapping or None
        How far off the cycles may be (see :func:`ipusim.pipeline.uncertainty.uncertainty`).
    """

    status: str
    reason: str = ""
    cycles: int | None = None
    seconds: float | None = None
    flops: int | None = None
    energy_j: float | None = None
    cycles_by_phase: Mapping[str, int] = field(default_factory=dict)
    max_tile_bytes: int | None = None
    tile_sram_bytes: int | None = None
    plan: str = ""
    pattern_update: Mapping[str, float | None] | None = None
    propagation_steps: int | None = None
    energy_by_component: Mapping[str, float] = field(default_factory=dict)
    max_relative_error: float | None = None
    rms_relative_error: float | None = None
    uncertainty: Mapping[str, Any] | None = None


def outcome_of(simulate: Callable[[], Result], errors: Errors | None = None) -> Outcome:
    """Return what `simulate` comes to, with the `errors` of what fits.

    Whatever one of them raises is the reason of an outcome without figures.
    An interrupt of the user passes through.
    """
    try:
        run = simulate()
        found = _figures(run)
        if errors is None or found.status != OK:
            return found
        measured = errors(run)
        maximum, mean = measured.maximum, measured.root_mean_square
        return replace(found, max_relative_error=maximum, rms_relative_error=mean)
    except BadInputError as error:
        return Outcome(BAD_INPUT, _one_line("; ".join(str(problem) for problem in error.problems)))
    except PatternError as error:
        return Outcome(BAD_INPUT, _one_line(str(error)))
    except IpusimError as error:
        return Outcome(FAILED, _one_line(str(error)))
    except MemoryError:
        return Outcome(FAILED, "this machine has not enough memory for it")
    except Exception as error:
        return Outcome(FAILED, _one_line(f"a defect of ipusim: {type(error).__name__}: {error} ({_place(error)})"))


def _figures(run: Result) -> Outcome:
    infeasible = run.infeasible
    return Outcome(
        status=INFEASIBLE if infeasible else OK,
        reason=_one_line(describe_infeasible(infeasible)) if infeasible else "",
        cycles=run.cycles,
        seconds=run.seconds,
        flops=run.flops,
        energy_j=run.energy_j,
        energy_by_component=run.energy_by_component or {},
        cycles_by_phase={phase: cycles for phase, cycles in run.cycles_by_phase.items() if cycles is not None},
        max_tile_bytes=run.memory["max_tile_bytes"],
        tile_sram_bytes=run.memory["tile_sram_bytes"],
        plan=_plans(run.ops),
        pattern_update=_pattern_update(run.ops),
        propagation_steps=_propagation_steps(run.ops),
        uncertainty=run.uncertainty,
    )


def describe_infeasible(infeasible: Mapping[str, Any]) -> str:
    """Return in one line why a workload does not fit, from the ``infeasible`` part of its result."""
    constraint = str(infeasible["constraint"])
    if not infeasible.get("demand_bytes"):
        return constraint
    demand, capacity = (format_bytes(infeasible[key]) for key in ("demand_bytes", "capacity_bytes"))
    if constraint == "tile_sram_bytes":
        return f"a tile would need {demand} and has {capacity}"
    return f"{constraint}: {demand} needed, {capacity} there"


def _plans(ops: list[dict[str, Any]]) -> str:
    plans = {op["name"]: plan_line(op["plan"]) for op in ops if op.get("plan")}
    if len(plans) == 1:
        return next(iter(plans.values()))
    return "; ".join(f"{name}: {plan}" for name, plan in plans.items())


def _pattern_update(ops: list[dict[str, Any]]) -> dict[str, float | None] | None:
    """Return the sum over the dynamic tensors of what a new pattern costs; those of several ops count once."""
    found = {}
    for op in ops:
        update = (op.get("plan") or {}).get("pattern_update")
        if update:
            found[update["tensor"]] = update
    if not found:
        return None
    uploads = [update["upload_s"] for update in found.values()]
    return {
        "host_s": sum(update["host_s"] for update in found.values()),
        "upload_s": None if None in uploads else sum(uploads),
        "upload_bytes": sum(update["upload_bytes"] for update in found.values()),
    }


def _propagation_steps(ops: list[dict[str, Any]]) -> int | None:
    steps = [op["plan"]["propagation_steps"] for op in ops if "propagation_steps" in (op.get("plan") or {})]
    return sum(steps) if steps else None


def _place(error: Exception) -> str:
    frames = traceback.extract_tb(error.__traceback__)
    return f"{Path(frames[-1].filename).name}:{frames[-1].lineno}" if frames else "nowhere"


def _one_line(text: str) -> str:
    return shorten(" ".join(text.split()), _LONGEST_REASON)
