"""What a dynamic sparse product costs beyond its work: phases, control, and the one fitted constant."""

from __future__ import annotations

from dataclasses import dataclass

from ipusim.chip.model import Chip
from ipusim.cost.arithmetic import ceil_div

BUCKET_GAP_CYCLES = 100
"""Gap before each bucket received from another tile: the only constant fitted to dynamic measurements."""


@dataclass(frozen=True, slots=True)
class DynamicOverheads:
    """Cycles charged on top of the work itself.

    Attributes
    ----------
    exchange_phase_cycles, compute_set_cycles : int
        For every exchange phase and compute set; the chip's, not refitted.
    bucket_gap_cycles : int
        Gap before each bucket received from another tile: a multicast from a new source has to suit receivers at
        different distances, and a bucket is two messages. The only constant fitted to dynamic measurements; 60 to 120
        fit within half a point. 0 gives the model without fitted constants.
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
    bucket_gap_cycles: int = BUCKET_GAP_CYCLES
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


def dynamic_overheads(chip: Chip, bucket_gap_cycles: int = BUCKET_GAP_CYCLES) -> DynamicOverheads:
    """Return the overheads on `chip`: barrier, way to the furthest row, and rest of a phase; dispatch of a compute set.

    Parameters
    ----------
    chip : Chip
    bucket_gap_cycles : int
        The fitted constant; 0 for the model without it.
    """
    rows = ceil_div(chip.n_tiles, chip.tiles_per_exchange_row) - 1
    phase = chip.sync_cycles + chip.exchange_mux_cycles + chip.exchange_tail_cycles
    phase += chip.exchange_phase_overhead_cycles + chip.exchange_row_cycles * rows
    return DynamicOverheads(phase, chip.compute_set_overhead_cycles, bucket_gap_cycles)
