"""What a dynamic sparse product costs beyond its work: phases, control, and gaps between buckets."""

from __future__ import annotations

from dataclasses import dataclass

from ipusim.chip.model import Chip
from ipusim.cost.arithmetic import ceil_div


@dataclass(frozen=True, slots=True)
class DynamicOverheads:
    """Cycles charged on top of the work itself.

    Attributes
    ----------
    exchange_phase_cycles, compute_set_cycles : int
        For every exchange phase and compute set; the chip's, not refitted.
    bucket_gap_cycles : int
        Gap before each bucket received from another tile; the chip's.
    control_exchanges, control_compute_sets : int
        Small exchanges and compute sets of a call that decide whether to propagate (assumed).
    step_exchanges, step_compute_sets : int
        Exchanges and compute sets of a propagation step beside the work: loop control on one tile (assumed).

    Notes
    -----
    Source: reference/MODEL_DYNAMIC.md sections 3 and 4.
    """

    exchange_phase_cycles: int
    compute_set_cycles: int
    bucket_gap_cycles: int
    control_exchanges: int = 3
    control_compute_sets: int = 6
    step_exchanges: int = 5
    step_compute_sets: int = 9

    @property
    def control_cycles(self) -> int:
        """Control of a call."""
        return self.control_exchanges * self.exchange_phase_cycles + self.control_compute_sets * self.compute_set_cycles

    @property
    def step_cycles(self) -> int:
        """Control of a propagation step, its own exchange and compute set included."""
        return self.step_exchanges * self.exchange_phase_cycles + self.step_compute_sets * self.compute_set_cycles


def dynamic_overheads(chip: Chip) -> DynamicOverheads:
    """Return the overheads on `chip`: barrier, way to the furthest row, rest of a phase; dispatch of compute sets."""
    rows = ceil_div(chip.n_tiles, chip.tiles_per_exchange_row) - 1
    phase = chip.sync_cycles + chip.exchange_mux_cycles + chip.exchange_tail_cycles
    phase += chip.exchange_phase_overhead_cycles + chip.exchange_row_cycles * rows
    return DynamicOverheads(phase, chip.compute_set_overhead_cycles, chip.exchange_bucket_gap_cycles)
