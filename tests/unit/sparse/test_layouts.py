"""Storage layouts: the reference's examples, round trips, SciPy's opinion, and every error case."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy.sparse import bsr_array, csc_array, csr_array

from ipusim.errors import BadInputError
from ipusim.sparse.blocks import blocks_to_dense, dense_to_blocks
from ipusim.sparse.layouts.bsr import Bsr
from ipusim.sparse.layouts.coo import Coo
from ipusim.sparse.layouts.csc import Csc
from ipusim.sparse.layouts.csr import Csr
from ipusim.sparse.layouts.registry import find_layout, layout_names, load_blocks

DENSE = np.array([[10, 20, 0, 0, 0, 0], [0, 30, 0, 40, 0, 0], [0, 0, 50, 60, 70, 0], [0, 0, 0, 0, 0, 80]], np.float32)


def random_dense(shape: tuple[int, int], block_size: int, seed: int) -> np.ndarray:
    generator = np.random.default_rng(seed)
    keep = generator.random((shape[0] // block_size, shape[1] // block_size)) < 0.4
    return generator.standard_normal(shape).astype(np.float32) * np.kron(keep, np.ones((block_size, block_size)))


def test_registry_names() -> None:
    assert layout_names() == ("bsr", "coo", "csc", "csr")
    assert find_layout("csr") is Csr
    with pytest.raises(KeyError):
        find_layout("ell")


def test_element_csr_of_the_reference() -> None:
    csr = Csr.from_blocks(dense_to_blocks(DENSE, 1))
    assert csr.data.tolist() == [10, 20, 30, 40, 50, 60, 70, 80]
    assert csr.indices.tolist() == [0, 1, 1, 3, 2, 3, 4, 5]
    assert csr.indptr.tolist() == [0, 2, 4, 7, 8]


def test_block_pointers_count_values_and_indices_elements() -> None:
    dense = np.kron(DENSE, np.ones((4, 4), np.float32))
    csr = Csr.from_blocks(dense_to_blocks(dense, 4))
    assert csr.indices.tolist() == [0, 4, 4, 12, 8, 12, 16, 20]
    assert csr.indptr.tolist() == [0, 32, 64, 112, 128]
    coo = Coo.from_blocks(dense_to_blocks(dense, 4))
    assert coo.row_indices.tolist() == [0, 0, 4, 4, 8, 8, 8, 12]


@pytest.mark.parametrize("name", ["bsr", "coo", "csc", "csr"])
@pytest.mark.parametrize("block_size", [1, 4, 8, 16])
def test_round_trip(name: str, block_size: int) -> None:
    dense = random_dense((48, 32), block_size, block_size)
    blocks = dense_to_blocks(dense, block_size)
    again = load_blocks(find_layout(name).from_blocks(blocks))
    assert np.array_equal(blocks_to_dense(again), dense.astype(np.float32))
    assert np.array_equal(again.rows, blocks.rows)


def test_scipy_agrees() -> None:
    blocks = dense_to_blocks(random_dense((24, 36), 4, 7), 4)
    dense = blocks_to_dense(blocks)
    bsr = Bsr.from_blocks(blocks)
    assert np.array_equal(bsr_array((bsr.data, bsr.indices, bsr.indptr), shape=bsr.shape).toarray(), dense)
    single = dense_to_blocks(dense, 1)
    csr, csc = Csr.from_blocks(single), Csc.from_blocks(single)
    assert np.array_equal(csr_array((csr.data, csr.indices, csr.indptr), shape=csr.shape).toarray(), dense)
    assert np.array_equal(csc_array((csc.data, csc.indices, csc.indptr), shape=csc.shape).toarray(), dense)


def int_array(*values: int) -> np.ndarray:
    return np.array(values, np.int64)


BLOCKY = Csr.from_blocks(dense_to_blocks(np.kron(DENSE, np.ones((4, 4), np.float32)), 4))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"shape": (18, 24)}, "18 rows are not a multiple of the block size 4"),
        ({"shape": (16, 0)}, "0 columns are not a multiple"),
        ({"block_size": 0}, "block size 0 is not positive"),
        ({"indptr": int_array(0, 32, 64, 128)}, "4 pointers where 5 are needed"),
        ({"indptr": int_array(0, 64, 32, 112, 128)}, "the pointers decrease"),
        ({"indptr": int_array(16, 32, 64, 112, 128)}, "the first pointer is 16"),
        ({"indptr": int_array(0, 31, 64, 112, 128)}, "not a multiple of the 16 values"),
        ({"indptr": int_array(0, 32, 64, 112, 144)}, "the last pointer is 144 where 128"),
        ({"indices": int_array(0, 4, 4, 12, 8, 12, 16, 24)}, "a column index is outside 0..23"),
        ({"indices": int_array(-4, 4, 4, 12, 8, 12, 16, 20)}, "a column index is outside 0..23"),
        ({"indices": int_array(0, 3, 4, 12, 8, 12, 16, 20)}, "a column index is not a multiple of the block size 4"),
        ({"indices": int_array(0, 0, 4, 12, 8, 12, 16, 20)}, "the block at row 0, column 0 is stored twice"),
        ({"data": np.ones(127, np.float32)}, "127 values for 8 blocks of 4x4"),
        ({"data": np.full(128, np.nan, np.float32)}, "not a finite number"),
    ],
)
def test_csr_errors(change: dict[str, object], message: str) -> None:
    with pytest.raises(BadInputError, match=message):
        load_blocks(replace(BLOCKY, **change))


def test_all_problems_are_reported_at_once() -> None:
    broken = replace(BLOCKY, indices=int_array(0, 3, 4, 12, 8, 12, 16, 24), data=np.ones(3, np.float32))
    with pytest.raises(BadInputError) as error:
        load_blocks(broken, "w.csr")
    assert len(error.value.problems) == 3
    assert all(problem.file == "w.csr" for problem in error.value.problems)


def test_other_layouts_check_too() -> None:
    blocks = dense_to_blocks(DENSE, 1)
    coo = Coo.from_blocks(blocks)
    assert replace(coo, row_indices=int_array(0, 1)).problems() == ["2 row indices but 8 column indices"]
    assert replace(coo, row_indices=coo.row_indices * 0).problems() != []
    csc = Csc.from_blocks(blocks)
    assert replace(csc, indices=csc.indices + 1).problems() == ["a row index is outside 0..3"]
    bsr = Bsr.from_blocks(blocks)
    assert replace(bsr, indices=bsr.indices + 1).problems() == ["a block column index is outside 0..5"]
    assert [layout.problems() for layout in (coo, csc, bsr)] == [[], [], []]
