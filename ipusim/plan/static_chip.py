"""What planning static sparsity needs to know of a chip."""

from __future__ import annotations

from typing import Protocol

from ipusim.cost.sparse_units import UnitsChip


class SparseChip(UnitsChip, Protocol):
    """The fields of a chip that the plan and the cost of a sparse matmul depend on."""

    @property
    def n_tiles(self) -> int:
        """Tiles of the chip."""

    @property
    def tile_sram_bytes(self) -> int:
        """Memory of a tile."""

    @property
    def exchange_bytes_per_cycle(self) -> int:
        """Rate at which a tile receives."""

    @property
    def tiles_per_exchange_bus(self) -> int:
        """Tiles that share a bus, and are dealt out together."""

    @property
    def exchange_gather_sharing(self) -> bool:
        """Whether the tiles of a bus share what they gather."""

    @property
    def exchange_bus_rate_factor(self) -> int:
        """Times the rate at which the planner takes the tiles of a bus to gather."""

    @property
    def exchange_control_cycles_per_fragment(self) -> int:
        """Control instructions for a piece that is exchanged."""

    @property
    def exchange_instruction_bytes(self) -> int:
        """Size of one of them."""

    @property
    def worker_contexts(self) -> int:
        """Workers of a tile."""
