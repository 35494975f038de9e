import numpy as np
import pytest

from ipusim.chip.load import load_chip
from ipusim.plan.dynamic_buckets import decode_buckets, encode_buckets, read_words
from ipusim.plan.dynamic_partition import partition_pattern
from ipusim.plan.dynamic_plan import plan_dynamic
from ipusim.plan.dynamic_problem import DynamicOptions
from ipusim.sparse.blocks import Blocks, blocks_from_flat

BOW = load_chip("bow")


def random_matrix(m, k, block_size, count, seed=0):
    random = np.random.default_rng(seed)
    flat = np.sort(random.choice(m // block_size * (k // block_size), count, replace=False))
    blocks = blocks_from_flat((m, k), block_size, flat)
    return blocks.with_data(random.standard_normal((count, block_size, block_size)).astype(np.float32))


def plan_for(m, k, n, block_size, density, **options):
    return plan_dynamic(m, k, n, block_size, density, "float16", BOW, DynamicOptions(**options))


def same(a, b):
    return all(np.array_equal(getattr(a, name), getattr(b, name)) for name in ("rows", "cols", "data"))


def test_words_of_blocks_by_hand():
    plan = plan_for(32, 32, 8, 4, 0.5, partition=(1, 2, 1))
    rows, cols = np.array([1, 1, 3], np.int32), np.array([0, 2, 1], np.int32)
    blocks = Blocks((32, 32), 4, rows, cols, np.arange(48, dtype=np.float32).reshape(3, 4, 4))
    buckets = encode_buckets(partition_pattern(plan, blocks))
    # id 1, region (0, 0), 3 blocks, 14 words, 2 rows; row 1 with 2 blocks, row 3 with one; offsets in elements
    expected = [1, 0, 0, 3, 14, 1, 0, 4, 1, 0, 8, 12, 0, 4, 0]
    assert buckets.words[0, :15].tolist() == expected
    assert not buckets.words[1].any()
    np.testing.assert_array_equal(buckets.values[0, :3], blocks.data)
    assert not buckets.values[0, 3:].any()


def test_words_of_elements_by_hand():
    plan = plan_for(8, 8, 16, 1, 0.5, partition=(1, 2, 2))
    blocks = Blocks((8, 8), 1, np.array([2, 2, 5], np.int32), np.array([4, 7, 6], np.int32), np.ones((3, 1, 1), "f4"))
    words = encode_buckets(partition_pattern(plan, blocks)).words
    # region 1 (id 2) over two tiles: one non-zero, then two
    assert not words[:2].any()
    assert words[2, :9].tolist() == [2, 0, 1, 1, 42, 8, 0, 39, 6]
    # one row and two grains of four columns: two workers with a grain each, the others idle
    assert words[2, 9:39].tolist() == [0, 4, 0, 0, 0, 0, 4, 4, 0, 0, *[0] * 20]
    # the row's offset, one non-zero, column 0 of the region
    assert words[2, 39:43].tolist() == [2, 1, 0, 0]
    # row 2: column 3, at 8 columns of 2 bytes; row 5: column 2
    assert words[3, 39:46].tolist() == [2, 1, 48, 5, 1, 32, 0]
    # four pieces of a row and a grain: the second row starts after one non-zero and three words
    assert words[3, 9:29].tolist() == [0, 4, 0, 0, 0, 0, 4, 4, 0, 0, 1, 4, 0, 0, 3, 1, 4, 4, 0, 3]


@pytest.mark.parametrize("grad_w", [False, True])
@pytest.mark.parametrize("z_parts", [2, 4])
@pytest.mark.parametrize("x_parts", [2, 7])
@pytest.mark.parametrize("y_parts", [2, 7])
@pytest.mark.parametrize(
    ("size", "n", "block_size", "density", "oversize"),
    [(100, 8, 1, 0.1, 0.1), (100, 8, 4, 0.1, 0.1), (1000, 16, 4, 0.05, 0.1), (1000, 16, 4, 0.1, 0.001)],
)
def test_published_round_trips(size, n, block_size, density, oversize, x_parts, y_parts, z_parts, grad_w):
    z_parts = min(z_parts, n // 4) if block_size == 1 else z_parts
    plan = plan_for(
        size, size, n, block_size, density, partition=(x_parts, y_parts, z_parts), oversize=oversize, grad_w=grad_w
    )
    matrix = random_matrix(size, size, block_size, plan.problem.non_zero_groups)
    assert same(decode_buckets(plan, encode_buckets(partition_pattern(plan, matrix))), matrix)


def test_patterns_without_values_count_as_ones():
    plan = plan_for(64, 64, 8, 4, 0.1)
    blocks = blocks_from_flat((64, 64), 4, np.array([3, 100, 200]))
    back = decode_buckets(plan, encode_buckets(partition_pattern(plan, blocks)))
    np.testing.assert_array_equal(back.data, np.ones((3, 4, 4)))


def test_nothing_makes_empty_buckets():
    plan = plan_for(64, 64, 8, 4, 0.1)
    buckets = encode_buckets(partition_pattern(plan, blocks_from_flat((64, 64), 4, np.arange(0))))
    assert not buckets.words.any()
    assert decode_buckets(plan, buckets).n_blocks == 0


def test_plain_reading_of_words_is_the_same():
    plan = plan_for(64, 64, 8, 1, 0.2, partition=(2, 2, 2))
    matrix = random_matrix(64, 64, 1, plan.problem.non_zero_groups)
    buckets = encode_buckets(partition_pattern(plan, matrix))
    found = np.zeros((2 * matrix.n_blocks, 4), np.int64)
    unit = plan.z * 2
    count = read_words(buckets.words, 39, 1, plan.x_groups, plan.y_groups, unit, found)
    assert count == matrix.n_blocks
    assert sorted(map(tuple, found[:count, :2].tolist())) == list(
        zip(matrix.rows.tolist(), matrix.cols.tolist(), strict=True)
    )
