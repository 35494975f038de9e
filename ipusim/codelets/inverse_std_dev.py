"""Inverse standard deviation from mean and power (normalisation layers), by one worker."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ipusim.codelets.registry import Codelet
from ipusim.cost.arithmetic import ceil_div


def worker_cycles(regions: int, region_elements: int) -> int:
    """Return the worker slots for `regions` regions of `region_elements` elements each.

    Source: poplibs lib/poplin/poplinCycleEstimators.cpp (dense reference, section 3).
    """
    return 6 + regions * (4 + 5 * ceil_div(region_elements, 2))


def _cycles(fields: Mapping[str, int], settings: Mapping[str, Any], chip: Any) -> int:  # noqa: ARG001
    return int(chip.worker_contexts) * worker_cycles(fields["regions"], fields["region_elements"])


CODELET = Codelet(
    name="inverse_std_dev",
    fields=("regions", "region_elements"),
    cycles=_cycles,
    source="poplibs poplin InverseStdDeviation estimate",
    one_worker=True,
)
