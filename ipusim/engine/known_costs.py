"""What a program's parts cost, kept for timing it again on a chip with other constants.

Whoever asks what another constant would change times one program many times. The bytes that its transfers move do not
depend on the constants, and the cycles of its vertices not on those of exchange and sync.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable
from functools import lru_cache
from typing import TypeVar

from ipusim.chip.model import Chip
from ipusim.engine.charges import Charges
from ipusim.ir.program import Program, Transfers, VertexSet
from ipusim.ir.sharing import alike_supersteps

Made = TypeVar("Made")

BETWEEN_TILES = ("exchange_", "sync_")
"""How the names of the chip fields begin that no vertex depends on."""


class KnownCosts:
    """Costs of the parts of a program that are known already.

    Parameters
    ----------
    program : Program
        It is kept, since costs are found by the identity of its parts.

    Attributes
    ----------
    alike : tuple of int
        :func:`~ipusim.ir.sharing.alike_supersteps` of the program.
    """

    def __init__(self, program: Program) -> None:
        self.program = program
        self.alike = alike_supersteps(program)
        self._made: dict[Hashable, object] = {}

    def vertices(self, vertices: VertexSet, chip: Chip, charges: Charges, make: Callable[[], Made]) -> Made:
        """Return what `make` makes of the vertices; for chips that are alike to them, what it made the first time."""
        return self._once((id(vertices), charges.executed, constants_of_vertices(chip)), make)

    def transfers(self, transfers: Transfers, chip: Chip, make: Callable[[], Made]) -> Made:
        """Return what `make` makes of the transfers' bytes; for chips with the same buses, what it made first."""
        return self._once((id(transfers), chip.exchange_bus_sharing, chip.tiles_per_exchange_bus), make)

    def _once(self, key: Hashable, make: Callable[[], Made]) -> Made:
        if key not in self._made:
            self._made[key] = make()
        return self._made[key]  # type: ignore[return-value]


@lru_cache(maxsize=64)
def constants_of_vertices(chip: Chip) -> str:
    """Return all that vertices may depend on, the same for chips that differ in exchange and sync only."""
    fields = sorted(name for name in type(chip).model_fields if not name.startswith(BETWEEN_TILES))
    return repr([(name, getattr(chip, name)) for name in fields])
