"""Copy of rows from one place of a tile's memory to another, their order unchanged."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ipusim.codelets.registry import Codelet
from ipusim.codelets.work import copying_work
from ipusim.cost.arithmetic import ceil_div

ROW_CYCLES = 65
"""Supervisor cycles of each row, whatever its length.

Source: fitted to the copies of the published Gaussian blur on a GC2 (``ipusim validate``), whose blocks of 45 rows and
columns take 58 to 75 cycles a row beside their bytes at the width of the data path.
"""


def vertex_cycles(n_bytes: int, rows: int, copy_bytes_per_cycle: int) -> int:
    """Return the supervisor cycles to copy `n_bytes` that lie in so many rows."""
    return rows * ROW_CYCLES + ceil_div(n_bytes, copy_bytes_per_cycle)


def _cycles(fields: Mapping[str, int], settings: Mapping[str, Any], chip: Any) -> int:  # noqa: ARG001
    return vertex_cycles(fields["n_bytes"], fields["rows"], int(chip.copy_bytes_per_cycle))


CODELET = Codelet(
    name="copy_rows",
    fields=("n_bytes", "rows"),
    cycles=_cycles,
    source="copies at the width of the data path; cycles per row fitted to a profile on a GC2",
    work=copying_work,
)
