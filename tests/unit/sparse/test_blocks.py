"""The canonical form of a sparse matrix."""

from __future__ import annotations

import numpy as np
import pytest

from ipusim.sparse.blocks import (
    Blocks,
    blocks_to_dense,
    canonical_blocks,
    dense_to_blocks,
    device_block_size,
    reblock,
    transpose_blocks,
)


def example() -> Blocks:
    dense = np.zeros((6, 4), np.float32)
    dense[0, 0], dense[1, 3], dense[4, 2], dense[5, 0] = 1, 2, 3, 4
    return dense_to_blocks(dense, 2)


def test_dense_to_blocks_keeps_only_blocks_with_values() -> None:
    blocks = example()
    assert blocks.grid == (3, 2)
    assert list(zip(blocks.rows.tolist(), blocks.cols.tolist(), strict=True)) == [(0, 0), (0, 1), (2, 0), (2, 1)]
    assert blocks.n_values == 16
    assert blocks.density == pytest.approx(16 / 24)
    assert blocks.indptr().tolist() == [0, 2, 2, 4]


def test_canonical_order_carries_the_values_along() -> None:
    data = np.arange(3, dtype=np.float32).reshape(3, 1, 1)
    blocks = canonical_blocks((2, 3), 1, np.array([1, 0, 0]), np.array([0, 2, 1]), data)
    assert blocks.data is not None
    assert blocks.data.ravel().tolist() == [2, 1, 0]
    assert blocks.cols.tolist() == [1, 2, 0]


def test_transpose() -> None:
    blocks = example()
    assert np.array_equal(blocks_to_dense(transpose_blocks(blocks)), blocks_to_dense(blocks).T)


@pytest.mark.parametrize("block_size", [1, 2])
def test_splitting_keeps_all_stored_values(block_size: int) -> None:
    big = dense_to_blocks(np.eye(8, dtype=np.float32), 4)
    small = reblock(big, block_size)
    assert small.n_values == big.n_values == 32
    assert np.array_equal(blocks_to_dense(small), np.eye(8))


def test_merging_fills_up_with_zeros() -> None:
    small = dense_to_blocks(np.eye(8, dtype=np.float32), 1)
    big = reblock(small, 4)
    assert big.n_blocks == 2
    assert np.array_equal(blocks_to_dense(big), np.eye(8))


def test_a_pattern_without_values_is_reblocked_too() -> None:
    pattern = Blocks((4, 4), 2, np.array([1], np.int32), np.array([0], np.int32))
    assert reblock(pattern, 1).rows.tolist() == [2, 2, 3, 3]
    assert reblock(pattern, 4).rows.tolist() == [0]
    assert reblock(pattern, 4).data is None


@pytest.mark.parametrize(
    ("user", "mode", "dtype", "device"),
    [
        (1, "static", "float16", 1),
        (2, "static", "float16", 1),
        (8, "static", "float32", 8),
        (12, "static", "float16", 4),
        (16, "static", "float32", 16),
        (32, "static", "float16", 16),
        (16, "dynamic", "float16", 16),
        (16, "dynamic", "float32", 8),
        (12, "dynamic", "float32", 4),
        (6, "dynamic", "float16", 1),
    ],
)
def test_device_block_size(user: int, mode: str, dtype: str, device: int) -> None:
    assert device_block_size(user, mode, dtype) == device


def test_equal_blocks_are_equal_whatever_arrays_hold_them() -> None:
    assert example() == example()
    assert example() != transpose_blocks(example())
    pattern = Blocks((2, 2), 1, np.array([0], np.int32), np.array([1], np.int32))
    assert pattern == Blocks((2, 2), 1, np.array([0], np.int32), np.array([1], np.int32))
    assert pattern != pattern.with_data(np.ones((1, 1, 1), np.float32))
    assert pattern != "blocks"
