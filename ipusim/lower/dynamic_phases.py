"""Control and propagation of a dynamic sparse product: what runs between its products and its reduction.

One tile without other work decides whether buckets have to travel, and tells the others. Then the buckets go round,
step by step: all tiles receive a whole bucket, multiply what it holds for their region, and the loop is controlled. How
many small phases that takes is assumed (:class:`~ipusim.cost.dynamic_overheads.DynamicOverheads`).
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from ipusim.cost.dynamic_overheads import DynamicOverheads, dynamic_overheads
from ipusim.ir.program import Operand, Repeat, Superstep, TileArray, Transfers, VertexSet
from ipusim.ir.regions import whole_boxes
from ipusim.lower.builder import Builder
from ipusim.plan.dynamic_fields import Step

CONTROL_WORD_BYTES = 4


class Control:
    """Decisions of the program at run time, on the first tile without a part of the product (or the last one).

    Parameters
    ----------
    builder : Builder
    op : str
        Name of the op.
    tile : int32 array [tiles used]
        Tiles that are told.
    """

    def __init__(self, builder: Builder, op: str, tile: TileArray) -> None:
        self.op = op
        self.overheads: DynamicOverheads = dynamic_overheads(builder.chip)
        n_tiles = builder.chip.n_tiles
        decider = np.array([min(len(tile), n_tiles - 1)], dtype=np.int32)
        word = whole_boxes(np.array([[0, 1, 0, 1, 0, 1]]))
        variable = builder.add_variable(f"{op}.control", (1, 1, 1), "float32", "temporary", None)
        self._decide = VertexSet(
            codelet="dynamic_control",
            label="control",
            tile=decider,
            fields={"operations": np.ones(1, dtype=np.int64)},
            operands=(Operand(variable.name, "inout", word),),
        )
        received = np.zeros(n_tiles, dtype=np.int64)
        received[tile] = CONTROL_WORD_BYTES
        sent = np.zeros(n_tiles, dtype=np.int64)
        sent[decider] = CONTROL_WORD_BYTES
        everyone = np.sort(tile)
        self._tell = Transfers(
            variable=variable.name,
            label="control",
            source=decider,
            regions=word,
            group=np.zeros(1, dtype=np.int32),
            group_indptr=np.array([0, len(everyone)], dtype=np.int64),
            group_tiles=everyone,
            bytes_sent=sent,
            bytes_received=received,
        )

    def of_call(self) -> list[Superstep]:
        """Return the control of a call."""
        return self._steps(self.overheads.control_compute_sets, self.overheads.control_exchanges)

    def of_step(self) -> list[Superstep]:
        """Return the control of a propagation step, beside its own exchange and its own products."""
        return self._steps(self.overheads.step_compute_sets - 1, self.overheads.step_exchanges - 1)

    def of_loop(self) -> Superstep:
        """Return what starts the loop of propagation, beside the first travel of the buckets."""
        return Superstep(f"{self.op}/start loop", self.op, exchange=(self._tell,))

    def _steps(self, n_sets: int, n_exchanges: int) -> list[Superstep]:
        """Return `n_sets` decisions; the last `n_exchanges` of them are told to all tiles."""
        return [
            Superstep(
                f"{self.op}/control {number + 1}",
                self.op,
                (self._decide,),
                (self._tell,) if number >= n_sets - n_exchanges else (),
            )
            for number in range(n_sets)
        ]


def propagation(
    op: str,
    steps: list[Step],
    control: Control,
    travel: Callable[[Step | None], tuple[Transfers, ...]],
    multiply: Callable[[Step], VertexSet],
) -> list[Superstep | Repeat]:
    """Return the loop of propagation, cut where the steps cost something else.

    Parameters
    ----------
    op : str
        Name of the op.
    steps : list of Step
    control : Control
    travel : callable
        Returns the exchange of the buckets of a step; of none in particular for None.
    multiply : callable
        Returns the products of a step.
    """
    if not steps:
        return []
    found: list[Superstep | Repeat] = [
        Superstep(f"{op}/first travel", op, exchange=travel(None)),
        control.of_loop(),
    ]
    for step in steps:
        name = f"{op}/propagate" if step.distance is None else f"{op}/propagate {step.distance[0]}, {step.distance[1]}"
        body = (
            Superstep(f"{name}, travel", op, exchange=travel(step)),
            Superstep(f"{name}, multiply", op, (multiply(step),)),
            *control.of_step(),
        )
        found.append(Repeat(step.n_steps, body))
    return found
