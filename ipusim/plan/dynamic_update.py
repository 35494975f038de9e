"""What a new pattern or new values cost on the host and on the way to the chip; no part of a product's cycles."""

from __future__ import annotations

from dataclasses import dataclass

from ipusim.chip.model import Chip
from ipusim.cost.arithmetic import ceil_div
from ipusim.cost.dynamic_non_zeros import WORD_BYTES
from ipusim.plan.dynamic_partition import Placement

HOST_NON_ZEROS_PER_S = 1e7
"""Non-zeros that a host places per second (assumed; ipusim's own partitioner places about as many)."""


@dataclass(frozen=True, slots=True)
class PatternUpdate:
    """Cost of replacing the pattern of a dynamic sparse matrix.

    Attributes
    ----------
    host_s : float
        Seconds of placing the non-zeros on the host.
    values_bytes, metadata_bytes : int
        Bytes sent to the chip; buckets are sent whole. Only the former when just the values change.
    upload_s : float
        Seconds of sending them; infinite where the chip has no link to a host.
    """

    host_s: float
    values_bytes: int
    metadata_bytes: int
    upload_s: float


def pattern_update(placement: Placement, chip: Chip) -> PatternUpdate:
    """Return what it takes to bring a placed pattern onto the chip.

    The metadata is that of all planned passes and the overflow extent: three words, and a bit for each distance between
    row partitions, rounded up as the library does. Source: reference/sparse.md section 2.3.
    """
    plan = placement.plan
    problem = plan.problem
    separate = problem.grad_a and problem.block_size == 1 and not problem.shared_buckets
    words = plan.bucket_words + (plan.grad_a_words if separate else 0)
    extent_words = 3 + ceil_div(plan.p_m, 2)
    values_bytes = plan.n_tiles_used * plan.bucket_groups * problem.block_size**2 * problem.data_bytes
    metadata_bytes = (plan.n_tiles_used * words + extent_words) * WORD_BYTES
    rate = float(chip.host_bytes_per_s)
    upload_s = (values_bytes + metadata_bytes) / rate if rate else float("inf")
    return PatternUpdate(placement.order.size / HOST_NON_ZEROS_PER_S, values_bytes, metadata_bytes, upload_s)
