"""What tiles gather together, on a chip whose exchange lets the tiles of a bus share what they gather.

The tiles of a bus lie side by side in a band, so that they need much of the same. Each of them then receives whatever
one of them needs, at a multiple of the rate, and drops the rest. No chip is known to do that: measured rates of sparse
products on the Bow speak for one receiver's rate.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ipusim.plan.static_chip import SparseChip
from ipusim.plan.static_partition import RunLayout, StaticPartition, gathered_cols

IntArray = NDArray[np.int64]


def shared_cols(partition: StaticPartition, layout: RunLayout, chip: SparseChip) -> IntArray:
    """Return the block rows of the dense operand that each run receives over a shared bus: int64 array [n_runs].

    Those of all runs of its bus together, where every tile of the bus has a run and none is faster alone; else 0.
    """
    bus_tiles, factor = chip.tiles_per_exchange_bus, chip.exchange_bus_rate_factor
    if not chip.exchange_gather_sharing or bus_tiles < 2 or not layout.n_runs:
        return np.zeros(layout.n_runs, np.int64)
    bus = layout.tile // bus_tiles
    n_buses = int(bus.max()) + 1
    _, cols = gathered_cols(partition, layout)
    n_places = partition.plan.col_order.size
    needed = np.unique(np.repeat(bus, layout.n_cols) * n_places + cols) // n_places
    union = np.bincount(needed, minlength=n_buses)
    least = np.full(n_buses, n_places + 1, np.int64)
    np.minimum.at(least, bus, layout.n_cols)
    together = (np.bincount(bus, minlength=n_buses) == bus_tiles) & (union <= factor * least)
    shared: IntArray = np.where(together, union, 0)[bus].astype(np.int64)
    return shared
