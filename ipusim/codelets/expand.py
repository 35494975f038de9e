"""Copy of a tile's share of a broadcast operand at full size, after its elements have arrived."""

from __future__ import annotations

from ipusim.codelets.rearrange import CODELET as REARRANGE
from ipusim.codelets.registry import Codelet

CODELET = Codelet(
    name="expand",
    fields=REARRANGE.fields,
    cycles=REARRANGE.cycles,
    source="as a change of layout",
    work=REARRANGE.work,
)
