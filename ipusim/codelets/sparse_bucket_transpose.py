"""On-tile transpose of the blocks of a bucket, before the transposed pass reads them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ipusim.codelets.registry import Codelet
from ipusim.codelets.work import moving_work
from ipusim.cost.arithmetic import ceil_div


def bucket_transpose_cycles(n_transposes: int, rows: int, cols: int, float_input: bool, workers: int) -> int:
    """Return the cycles of transposing `n_transposes` blocks of `rows` x `cols` elements.

    Source: reference/sparse.md section 2.5 (grains of 2x2 float32 or 4x4 float16 elements over the workers).
    """
    grain = 2 if float_input else 4
    per_grain = 3 if float_input else 4
    row_grains = rows // grain
    col_grains = cols // grain
    per_worker = ceil_div(n_transposes, workers)
    if row_grains == 1 and col_grains == 1:
        slots = 29 if per_worker == 1 else 37 + (per_worker - 2) * per_grain
    elif col_grains == 1:
        slots = 27 + per_worker * (35 + per_grain * (row_grains - 2))
    else:
        slots = 29 + per_worker * (18 + row_grains * (12 + per_grain * (col_grains - 2)))
    return 7 + workers * slots


def _cycles(fields: Mapping[str, int], settings: Mapping[str, Any], chip: Any) -> int:
    edge = int(settings["block_size"])
    return bucket_transpose_cycles(fields["blocks"], edge, edge, settings["inputs"] == "float32", chip.worker_contexts)


CODELET = Codelet(
    name="sparse_bucket_transpose",
    fields=("blocks",),
    cycles=_cycles,
    source="poplibs popsparse, estimate of the transpose of buckets",
    work=moving_work,
)
