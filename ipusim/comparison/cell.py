"""One point of a comparison with its figures, seen against the dense baseline."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ipusim.comparison.outcome import OK, Outcome
from ipusim.comparison.points import Point
from ipusim.cost.energy import COMPONENTS

PHASES = ("compute", "exchange", "sync")
UPDATE = ("host_s", "upload_s", "upload_bytes")


@dataclass(frozen=True, slots=True)
class Cell:
    """One point, simulated.

    Attributes
    ----------
    point : Point
    outcome : Outcome
    baseline : Outcome
        The same workload with dense weights, in the same condition; of a baseline, itself.
    half : Outcome or None
        The same workload with dense weights in float16, if the sweep has it.
    """

    point: Point
    outcome: Outcome
    baseline: Outcome
    half: Outcome | None = None

    @property
    def speedup_over_float16(self) -> float | None:
        """Cycles of the dense float16 baseline over those of this cell; None where one of them has none."""
        if self.half is None or not self.half.cycles or not self.outcome.cycles:
            return None
        return self.half.cycles / self.outcome.cycles

    @property
    def speedup(self) -> float | None:
        """Cycles of the dense baseline over those of this cell; None where one of them has none."""
        if not self.outcome.cycles or not self.baseline.cycles:
            return None
        return self.baseline.cycles / self.outcome.cycles

    @property
    def energy_ratio(self) -> float | None:
        """Energy of the dense baseline over that of this cell; None where one of them is not known."""
        if not self.outcome.energy_j or not self.baseline.energy_j:
            return None
        return self.baseline.energy_j / self.outcome.energy_j

    @property
    def effective_tflops(self) -> float | None:
        """Operations of the dense baseline over the time of this cell, in TFLOP/s."""
        return _rate(self.baseline.flops, self.outcome.seconds)

    @property
    def useful_tflops(self) -> float | None:
        """Operations on non-zeros over the time of this cell, in TFLOP/s."""
        return _rate(self.outcome.flops, self.outcome.seconds)

    @property
    def bound_by(self) -> str | None:
        """The phase that takes most of the cycles."""
        phases = self.outcome.cycles_by_phase
        return max(phases, key=lambda phase: phases[phase]) if phases else None

    def to_dict(self) -> dict[str, Any]:
        """Return the cell as JSON-ready values."""
        outcome = self.outcome
        return {
            **self.point.to_dict(),
            "status": outcome.status,
            "reason": outcome.reason,
            "cycles": outcome.cycles,
            "seconds": outcome.seconds,
            "speedup": self.speedup,
            "speedup_over_float16": self.speedup_over_float16,
            "cycles_by_phase": {phase: outcome.cycles_by_phase.get(phase) for phase in PHASES},
            "flops": outcome.flops,
            "effective_tflops": self.effective_tflops,
            "useful_tflops": self.useful_tflops,
            "energy_j": outcome.energy_j,
            "energy": {name: outcome.energy_by_component.get(name) for name in COMPONENTS},
            "energy_ratio": self.energy_ratio,
            "power_w": _power(outcome),
            "max_tile_bytes": outcome.max_tile_bytes,
            "tile_sram_bytes": outcome.tile_sram_bytes,
            "fits": outcome.status == OK,
            "max_relative_error": outcome.max_relative_error,
            "rms_relative_error": outcome.rms_relative_error,
            "propagation_steps": outcome.propagation_steps,
            **{f"update_{name}": (outcome.pattern_update or {}).get(name) for name in UPDATE},
            **{f"model_{name}": (outcome.uncertainty or {}).get(name) for name in ("mean_error", "worst_error")},
            "model_outside": outcome.uncertainty and ", ".join(outcome.uncertainty["outside_words"]),
            "plan": outcome.plan,
        }


def _rate(flops: int | None, seconds: float | None) -> float | None:
    return flops / seconds / 1e12 if flops is not None and seconds else None


def _power(outcome: Outcome) -> float | None:
    return outcome.energy_j / outcome.seconds if outcome.energy_j is not None and outcome.seconds else None
