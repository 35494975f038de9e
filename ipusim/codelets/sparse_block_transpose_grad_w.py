"""Transpose of a dense operand for the AMP weight-gradient vertex."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ipusim.codelets.registry import Codelet
from ipusim.codelets.work import moving_work
from ipusim.cost.arithmetic import ceil_div


def block_transpose_grad_w_cycles(n_blocks: int, z: int, block_size: int, float_input: bool, workers: int) -> int:
    """Return the cycles of transposing `n_blocks` slices of `block_size` rows and `z` batch columns.

    Source: reference/sparse.md section 2.5.
    """
    z_block = 8 if float_input else 16
    inner = block_size // 2 * 12 if float_input else block_size // 4 * 23
    per_worker = ceil_div(n_blocks, workers)
    return 18 + workers * (34 + per_worker * (3 + z // z_block * (3 + inner)))


def _cycles(fields: Mapping[str, int], settings: Mapping[str, Any], chip: Any) -> int:
    return block_transpose_grad_w_cycles(
        fields["blocks"],
        fields["cols"],
        int(settings["block_size"]),
        settings["inputs"] == "float32",
        chip.worker_contexts,
    )


CODELET = Codelet(
    name="sparse_block_transpose_grad_w",
    fields=("blocks", "cols"),
    cycles=_cycles,
    source="poplibs popsparse BlockTransposeGradW estimate",
    work=moving_work,
)
