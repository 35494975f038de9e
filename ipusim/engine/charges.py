"""What timing charges beyond the planner's estimate, all in one place.

The planner's formulas decide which plan runs; the executed program costs more, for reasons that are the machine's:

========================== =========================================================================================
charge                     reason
========================== =========================================================================================
compute set overhead       vertex dispatch, run-all and rendezvous of the workers; the published formulas have the
                           right slopes and miss a constant 40-80 cycles on hardware (but not that of the AMP vertex)
exchange phase             the barrier before it, the wait until the receivers' multiplexers switch, the way of the
                           last word (longer to far rows), and a fitted rest
endpoint control           three control instructions for every fragment received
gap                        before each bucket of a dynamic sparse product from another tile, since its multicast has to
                           suit receivers at different distances (fitted: :mod:`ipusim.cost.dynamic_overheads`)
executed vertex            the codelet's ``cycles`` instead of its ``estimate``, where the two differ (the AMP worker:
                           a straight line in its rows, as measured)
senders                    a tile sends no faster than one word per cycle; two tiles that share a bus and swap halves
                           are slower than the estimate, which doubles their rate
own partial sums           what a tile holds itself is not received: the estimate books all partial sums (a credit)
weights on a shared bus    where both tiles of a bus need the same weights they get them together: the estimate gives
                           the double rate to the inputs only (a credit)
halo                       neighbours in the field of a convolution exchange what both need, and pieces of a cell are
                           whole; channels that only pad a group are not sent (a credit)
uneven shares              the estimate costs the largest share; where sizes do not divide, a smaller one can take
                           longer (a remainder beside whole vectors), and the groups of a deep reduction differ
========================== =========================================================================================

:data:`NONE` switches the first five off; then program and estimate agree term by term, but for the last five. The
terms ``regroup`` and ``rearrange`` of an estimate are never executed by the matmul: the first is an assumption about
the operator that follows, the second about the layout that operands come in, and here graph inputs are made in the
layout that their first operator wants.
"""

from __future__ import annotations

from dataclasses import dataclass

from ipusim.chip.model import Chip


@dataclass(frozen=True, slots=True)
class Charges:
    """Cycles that timing adds to the work itself.

    Attributes
    ----------
    compute_set_cycles : int
        For every compute set, unless the formulas of its codelets cover it.
    sync_cycles : int
        For the barrier before every exchange phase.
    exchange_cycles : int
        For every exchange phase, before the first word arrives and apart from the distance.
    row_cycles : int
        For each row between the receiver and the edge.
    fragment_cycles : int
        Control of each fragment that a tile receives, at the same time as the payload.
    executed : bool
        Use the codelets' executed cycles rather than the planner's estimates.
    gap_cycles : int
        For each wait for a multicast of another source.
    """

    compute_set_cycles: int
    sync_cycles: int
    exchange_cycles: int
    row_cycles: int
    fragment_cycles: int
    executed: bool
    gap_cycles: int = 0


NONE = Charges(0, 0, 0, 0, 0, False)


def charges_of(chip: Chip) -> Charges:
    """Return what `chip` charges."""
    return Charges(
        int(chip.compute_set_overhead_cycles),
        int(chip.sync_cycles),
        int(chip.exchange_mux_cycles + chip.exchange_tail_cycles + chip.exchange_phase_overhead_cycles),
        int(chip.exchange_row_cycles),
        int(chip.exchange_control_cycles_per_fragment),
        True,
        int(chip.exchange_bucket_gap_cycles),
    )
