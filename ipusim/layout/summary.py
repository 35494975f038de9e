"""What a layout did: rearrangements that are left and those that it saved, beside every op on its own."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Any

from ipusim.chip.model import Chip
from ipusim.cost.exchange import rate_sixteenths, receive_cycles
from ipusim.engine.charges import charges_of
from ipusim.engine.timing import vertex_cycles
from ipusim.ir.program import Program, Superstep
from ipusim.plan.layout import Layout


@dataclass(frozen=True, slots=True)
class Rearrangement:
    """A tensor that is brought to another mapping for an op.

    Attributes
    ----------
    op, tensor : str
    n_bytes : int
        Received by all tiles together.
    cycles : int
        Of the tile with the most, to receive and to copy; without barriers.
    """

    op: str
    tensor: str
    n_bytes: int
    cycles: int


def rearrangements(program: Program, chip: Chip) -> tuple[Rearrangement, ...]:
    """Return the changes of mapping of a program, in its order."""
    copies: dict[tuple[str, str], int] = {}
    steps = [step for step, _ in program.supersteps()]
    for step in steps:
        copies |= _copies(step, chip)
    found = []
    rate = rate_sixteenths(chip.exchange_bytes_per_cycle)
    for step in steps:
        for transfers in step.exchange:
            if transfers.label != "rearrange" or transfers.bytes_received is None:
                continue
            op, tensor = transfers.op or step.op, program.variables[transfers.variable].storage
            received = receive_cycles(int(transfers.bytes_received.max(initial=0)), rate)
            n_bytes = int(transfers.bytes_received.sum())
            found.append(Rearrangement(op, tensor, n_bytes, received + copies.get((op, tensor), 0)))
    return tuple(found)


def _copies(step: Superstep, chip: Chip) -> dict[tuple[str, str], int]:
    """Return the cycles of the copies of a superstep by op and tensor."""
    charges = charges_of(chip)
    return {
        (vertices.op or step.op, str(vertices.settings["target"])): int(vertex_cycles(vertices, chip, charges).max())
        for vertices in step.compute
        if vertices.codelet == "rearrange" and "target" in vertices.settings and len(vertices.tile)
    }


def summarise(layout: Layout, program: Program, alone: Program, chip: Chip) -> dict[str, Any]:
    """Return what a layout did as JSON-ready values.

    Parameters
    ----------
    layout : Layout
    program : Program
    alone : Program
        Of the same graph, with every op on its own.
    chip : Chip
    """
    left, before = rearrangements(program, chip), rearrangements(alone, chip)
    still = Counter((each.op, each.tensor) for each in left)
    saved = [each for each in before if not still[each.op, each.tensor]]
    shared = [step for step, _ in program.supersteps() if step.guests]
    return {
        **layout.to_dict(),
        "supersteps": {"greedy": _count(alone), "network": _count(program), "shared": len(shared)},
        "rearranged": [_values(each) for each in left],
        "saved": [_values(each) for each in saved],
    }


def _count(program: Program) -> int:
    return sum(count for _, count in program.supersteps())


def _values(each: Rearrangement) -> dict[str, Any]:
    return {"op": each.op, "tensor": each.tensor, "bytes": each.n_bytes, "cycles": each.cycles}
