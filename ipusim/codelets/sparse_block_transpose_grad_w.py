"""Transpose of a dense operand for the AMP weight-gradient vertex."""

from __future__ import annotations

from ipusim.cost.arithmetic import ceil_div


def block_transpose_grad_w_cycles(n_blocks: int, z: int, block_size: int, float_input: bool, workers: int) -> int:
    """Return the cycles of transposing `n_blocks` slices of `block_size` rows and `z` batch columns.

    Source: reference/sparse.md section 2.5.
    """
    z_block = 8 if float_input else 16
    inner = block_size // 2 * 12 if float_input else block_size // 4 * 23
    per_worker = ceil_div(n_blocks, workers)
    return 18 + workers * (34 + per_worker * (3 + z // z_block * (3 + inner)))
