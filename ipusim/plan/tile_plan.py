"""What plans have in common that cut an operator over tiles and never fail."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar


@dataclass(frozen=True, slots=True)
class TilePlan:
    """How one operator is cut over the tiles.

    Attributes
    ----------
    strategy : str
        What is cut.
    vertex : str
        Codelet that does most of the work.
    terms : dict of str to int
        Estimated cycles.
    temporary_bytes : int
        Of the tile with the largest share.
    """

    strategy: ClassVar[str] = ""

    vertex: str
    terms: dict[str, int]
    temporary_bytes: int

    @property
    def cycles(self) -> int:
        """Estimated cycles, the sum of the terms."""
        return sum(self.terms.values())

    @property
    def partition(self) -> dict[str, int]:
        """The parts of each axis, as reports show them."""
        return {}

    @property
    def tiles_used(self) -> int:
        """Number of tiles with work: the product of the parts."""
        tiles = 1
        for parts in self.partition.values():
            tiles *= parts
        return tiles

    def to_dict(self) -> dict[str, Any]:
        """Return the plan as JSON-ready values."""
        return {
            "strategy": self.strategy,
            "partition": self.partition,
            "vertex": self.vertex,
            "tiles_used": self.tiles_used,
            "estimated_cycles": self.cycles,
            "estimated_terms": {name: value for name, value in self.terms.items() if value},
            "temporary_bytes": self.temporary_bytes,
        }
