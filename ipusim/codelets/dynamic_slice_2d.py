"""Copy of slices of several regions at an offset known at run time, by one worker."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ipusim.codelets.registry import Codelet
from ipusim.cost.arithmetic import ceil_div


def worker_cycles(regions: int, region_elements: int, n_slices: int, float_type: bool) -> int:
    """Return the worker slots to copy `n_slices` slices of each of `regions` regions.

    Parameters
    ----------
    regions : int
        Regions, all of the same size.
    region_elements : int
        Elements of one slice of a region.
    n_slices : int
        Slices copied of each.
    float_type : bool
        32-bit rather than 16-bit elements.

    Notes
    -----
    Source: poplibs lib/popops/popopsCycleEstimators.cpp (dense reference, section 3).
    """
    vectors = ceil_div(region_elements, 2 if float_type else 4)
    per_slice = 29 + vectors if float_type else 31 + 2 * vectors
    return 27 + regions * (per_slice * n_slices + 13)


def _cycles(fields: Mapping[str, int], settings: Mapping[str, Any], chip: Any) -> int:
    shape = (fields["regions"], fields["region_elements"], fields["n_slices"])
    return int(chip.worker_contexts) * worker_cycles(*shape, settings["dtype"] == "float32")


CODELET = Codelet(
    name="dynamic_slice_2d",
    fields=("regions", "region_elements", "n_slices"),
    cycles=_cycles,
    source="poplibs popops DynamicSlice2D estimate",
    one_worker=True,
)
