"""What planning static sparsity needs to know of a chip."""

from __future__ import annotations

from typing import Protocol


class SparseChip(Protocol):
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
    def worker_contexts(self) -> int:
        """Workers of a tile."""

    @property
    def amp_load_bytes_per_cycle(self) -> int:
        """Rate at which the AMP's weights are loaded."""

    @property
    def exchange_control_cycles_per_fragment(self) -> int:
        """Control instructions for a piece that is exchanged."""

    @property
    def exchange_instruction_bytes(self) -> int:
        """Size of one of them."""
