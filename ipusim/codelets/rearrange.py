"""Copy of a tile's share of a tensor into another layout, after the bytes have arrived."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ipusim.codelets.registry import Codelet
from ipusim.codelets.work import copying_work
from ipusim.cost.arithmetic import ceil_div


def copy_cycles(n_bytes: int, extent: int, element_bytes: int, copy_bytes_per_cycle: int, data_path_bytes: int) -> int:
    """Return the supervisor cycles of the copy.

    Parameters
    ----------
    n_bytes : int
        The tile's share.
    extent : int
        Innermost extent of the tensor, in elements.
    element_bytes : int
    copy_bytes_per_cycle : int
        Rate of copies on the tile; a change of layout moves an element per cycle at most.
    data_path_bytes : int
        Width of loads and stores.

    Notes
    -----
    Source: poplibs lib/poplin/ConvModel.cpp, ``addTransformCycleEstimate`` (dense reference, section 2.11). A factor
    of 5/4 on top, or 5/3 where the innermost extent is no multiple of the vector.
    """
    rate = min(copy_bytes_per_cycle, element_bytes)
    divisor = 4 if extent % max(1, data_path_bytes // element_bytes) == 0 else 3
    return ceil_div(n_bytes * 5, rate * divisor)


def _cycles(fields: Mapping[str, int], settings: Mapping[str, Any], chip: Any) -> int:  # noqa: ARG001
    return copy_cycles(
        fields["n_bytes"],
        fields["extent"],
        fields["element_bytes"],
        int(chip.copy_bytes_per_cycle),
        chip.data_path_bytes,
    )


CODELET = Codelet(
    name="rearrange",
    fields=("n_bytes", "extent", "element_bytes"),
    cycles=_cycles,
    source="poplibs convolution planner, transform estimate",
    work=copying_work,
)
