"""Elementwise choice between two operands, by one worker."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ipusim.codelets.registry import Codelet


def worker_cycles(regions: int, region_elements: int) -> int:
    """Return the worker slots for `regions` regions of `region_elements` elements each.

    Source: poplibs lib/popops/popopsCycleEstimators.cpp (dense reference, section 3).
    """
    return 5 + regions * (6 + 5 * region_elements)


def _cycles(fields: Mapping[str, int], settings: Mapping[str, Any], chip: Any) -> int:  # noqa: ARG001
    return int(chip.worker_contexts) * worker_cycles(fields["regions"], fields["region_elements"])


CODELET = Codelet(
    name="select",
    fields=("regions", "region_elements"),
    cycles=_cycles,
    source="poplibs popops Select estimate",
    one_worker=True,
)
