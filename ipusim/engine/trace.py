"""What timing finds out: cycles of every superstep, on every tile."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from ipusim.ir.regions import IntArray


@dataclass(frozen=True, slots=True)
class SuperstepTime:
    """Cycles of one superstep of the program.

    Attributes
    ----------
    name, op : str
    count : int
        How often it runs.
    compute_cycles, sync_cycles, exchange_cycles : int
        Of one run: the slowest tile's compute, the barrier, the slowest tile's exchange.
    terms : Mapping[str, int]
        The same cycles by label, on the slowest tiles; they add up to the three phases.
    tile_compute, tile_exchange : int64 array [n_tiles]
        Busy cycles of each tile in one run.
    bytes_sent, bytes_received : int64 array [n_tiles]
        Of one run. A multicast is sent once and received by many. What comes from DRAM is received only.
    dram_bytes : int
        Read from DRAM in one run.
    """

    name: str
    op: str
    count: int
    compute_cycles: int
    sync_cycles: int
    exchange_cycles: int
    terms: Mapping[str, int]
    tile_compute: IntArray
    tile_exchange: IntArray
    bytes_sent: IntArray
    bytes_received: IntArray
    dram_bytes: int = 0

    @property
    def cycles(self) -> int:
        """Cycles of one run."""
        return self.compute_cycles + self.sync_cycles + self.exchange_cycles


@dataclass(frozen=True, slots=True)
class Trace:
    """Cycles of a whole program.

    Attributes
    ----------
    n_tiles : int
    steps : tuple of SuperstepTime
        In program order; loops are kept as counts.
    """

    n_tiles: int
    steps: tuple[SuperstepTime, ...]
    _by_op: Mapping[str, tuple[SuperstepTime, ...]] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Index the supersteps by the ops that their cycles are booked under."""
        found: dict[str, list[SuperstepTime]] = {}
        for step in self.steps:
            found.setdefault(step.op, []).append(step)
        object.__setattr__(self, "_by_op", {op: tuple(steps) for op, steps in found.items()})

    def steps_of(self, op: str | None = None) -> tuple[SuperstepTime, ...]:
        """Return the supersteps of one op, or all."""
        return self.steps if op is None else self._by_op.get(op, ())

    @property
    def cycles(self) -> int:
        """Total cycles: the sum over all supersteps and their runs."""
        return sum(step.cycles * step.count for step in self.steps)

    @property
    def n_supersteps(self) -> int:
        """Number of supersteps that run."""
        return sum(step.count for step in self.steps)

    def by_phase(self, op: str | None = None) -> dict[str, int]:
        """Return cycles of ``compute``, ``exchange`` and ``sync``, of one op or of all."""
        chosen = self.steps_of(op)
        return {
            "compute": sum(step.compute_cycles * step.count for step in chosen),
            "exchange": sum(step.exchange_cycles * step.count for step in chosen),
            "sync": sum(step.sync_cycles * step.count for step in chosen),
        }

    def terms(self, op: str | None = None) -> dict[str, int]:
        """Return cycles by label, of one op or of all."""
        total: dict[str, int] = {}
        for step in self.steps_of(op):
            for label, cycles in step.terms.items():
                total[label] = total.get(label, 0) + cycles * step.count
        return total

    def op_cycles(self, op: str) -> int:
        """Return the cycles of all supersteps of an op."""
        return sum(step.cycles * step.count for step in self.steps_of(op))

    def bytes_exchanged(self, op: str | None = None) -> int:
        """Return the bytes received by all tiles, of one op or of all."""
        return sum(int(step.bytes_received.sum()) * step.count for step in self.steps_of(op))

    def busy(self, op: str | None = None) -> IntArray:
        """Return the compute cycles of each tile over all supersteps: int64 array [n_tiles]."""
        total: IntArray = np.zeros(self.n_tiles, dtype=np.int64)
        for step in self.steps_of(op):
            total += step.tile_compute * step.count
        return total

    def idle_fraction(self, op: str | None = None) -> float:
        """Return the part of the compute phases that the average tile spends waiting for the slowest."""
        slowest = self.by_phase(op)["compute"]
        return 1.0 - float(self.busy(op).mean()) / slowest if slowest else 0.0
