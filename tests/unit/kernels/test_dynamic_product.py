import numpy as np
import pytest

from ipusim.chip.load import load_chip
from ipusim.cost.dynamic_non_zeros import stored_header_words
from ipusim.kernels.dynamic_product import Form, Held, Matrix, multiply_buckets, turn_blocks
from ipusim.kernels.workers import Workers
from ipusim.plan.dynamic_buckets import encode_buckets
from ipusim.plan.dynamic_partition import partition_pattern
from ipusim.plan.dynamic_plan import plan_dynamic
from ipusim.plan.dynamic_problem import DynamicOptions
from ipusim.sparse.blocks import blocks_from_flat, blocks_to_dense

BOW = load_chip("bow")


def buckets_of(rows, cols, block_size, n, partition, count, seed=0, dtype="float16"):
    """Return plan, buckets and the dense form of a random matrix of so many blocks."""
    random = np.random.default_rng(seed)
    flat = np.sort(random.choice(rows * cols, count, replace=False))
    blocks = blocks_from_flat((rows * block_size, cols * block_size), block_size, flat)
    data = random.integers(-4, 5, (count, block_size, block_size)).astype(np.float32)
    blocks = blocks.with_data(data)
    options = DynamicOptions(partition=partition)
    plan = plan_dynamic(*blocks.shape, n, block_size, count / (rows * cols), dtype, BOW, options)
    assert (plan.p_m, plan.p_k, plan.p_n) == partition
    return plan, encode_buckets(partition_pattern(plan, blocks)), blocks_to_dense(blocks)


def naive(words, values, region, form, operand, sums):
    """Add the products of one bucket's own sub-groups, word by word, in float32."""
    size, here, slot = form.block_size, 0, 0
    while words[here]:
        cursor, at = here + form.header, slot
        if words[here] == region:
            for _ in range(int(words[here + (5 if size > 1 else 6)]) + 1):
                row, length = int(words[cursor]), int(words[cursor + 1]) + (size > 1)
                for word in words[cursor + 2 : cursor + 2 + length]:
                    col = int(word) // form.dense_unit * size
                    block = values[at * size * size : (at + 1) * size * size].reshape(size, size)
                    if form.transposed:
                        sums[col : col + size] += block @ operand[row : row + size]
                    else:
                        sums[row : row + size] += block @ operand[col : col + size]
                    if form.half:
                        sums[:] = sums.astype(np.float16)
                    at += 1
                cursor += 2 + length
        slot += int(words[here + 3])
        here += int(words[here + 4])


@pytest.mark.parametrize("flipped", [(False, False), (True, False), (False, True), (True, True)])
@pytest.mark.parametrize("transposed", [False, True])
@pytest.mark.parametrize(("block_size", "half"), [(1, False), (4, True), (8, False), (16, True)])
@pytest.mark.parametrize("n", [8, 84, 280])
def test_against_a_naive_walk_over_the_words(block_size, half, transposed, flipped, n):
    cleared = n == 84
    plan, buckets, _ = buckets_of(6, 10, block_size, n, (2, 3, 1), 30, seed=n)
    random = np.random.default_rng(1)
    header = stored_header_words(block_size, False, 6)
    form = Form(header, block_size, plan.dense_unit, transposed, half, cleared)
    inner, rows = (plan.x_groups, plan.y_groups) if transposed else (plan.y_groups, plan.x_groups)
    inner, rows = inner * block_size, rows * block_size
    # the columns of every tile in two pieces of one matrix of its own
    tiles, cut = plan.n_tiles_used, n // 3
    dense = random.integers(-3, 4, (tiles, inner, n)).astype(np.float32)
    start = random.integers(-3, 4, (tiles, rows, n)).astype(np.float32)
    values = buckets.values.reshape(tiles, -1)
    boxes = {}
    for name, extent in (("dense", inner), ("out", rows)):
        pieces = [(tile, tile + 1, 0, extent, *edge) for tile in range(tiles) for edge in ((0, cut), (cut, n))]
        boxes[name] = np.array(pieces, np.int64)
    stored = {"dense": dense, "out": start.copy()}
    for name, turned in zip(("dense", "out"), flipped, strict=True):
        if turned:
            stored[name] = np.ascontiguousarray(stored[name].swapaxes(1, 2))
            boxes[name] = boxes[name][:, [0, 1, 4, 5, 2, 3]]
    region = np.arange(tiles) + 1
    held = Held(buckets.words, values, np.arange(tiles), np.ones(tiles, np.int64), region)
    with Workers(2) as workers:
        multiply_buckets(
            held,
            Matrix(stored["dense"], boxes["dense"], flipped[0], inner),
            Matrix(stored["out"], boxes["out"], flipped[1], rows),
            np.arange(tiles + 1) * 2,
            form,
            workers,
        )
    expected = np.zeros_like(start) if cleared else start.copy()
    for tile in range(tiles):
        naive(buckets.words[tile], values[tile], tile + 1, form, dense[tile], expected[tile])
    found = stored["out"].swapaxes(1, 2) if flipped[1] else stored["out"]
    assert np.array_equal(found, expected)


@pytest.mark.parametrize("block_size", [1, 4])
def test_other_regions_and_empty_lists_leave_the_sums(block_size):
    plan, buckets, _ = buckets_of(6, 6, block_size, 8, (1, 1, 1), 12)
    form = Form(stored_header_words(block_size, False, 6), block_size, plan.dense_unit, False, False, False)
    extent = 6 * block_size
    dense = np.ones((1, extent, 8), np.float32)
    box = np.array([[0, 1, 0, extent, 0, 8]], np.int64)
    for count, region in ((1, 2), (0, 1)):
        out = np.full((1, extent, 8), 5, np.float32)
        held = Held(
            buckets.words, buckets.values.reshape(1, -1), np.zeros(1, int), np.array([count]), np.array([region])
        )
        with Workers(1) as workers:
            multiply_buckets(
                held,
                Matrix(dense, box, False, extent),
                Matrix(out, box, False, extent),
                np.array([0, 1]),
                form,
                workers,
            )
        assert (out == 5).all()


def test_what_lies_past_the_edge_is_zero_and_not_written():
    plan, buckets, matrix = buckets_of(6, 6, 4, 20, (1, 1, 1), 12)
    form = Form(stored_header_words(4, False, 6), 4, plan.dense_unit, False, False, False)
    dense = np.random.default_rng(3).integers(-3, 4, (1, 24, 13)).astype(np.float32)
    out = np.zeros((1, 24, 13), np.float32)
    box = np.array([[0, 1, 0, 24, 0, 20]], np.int64)
    held = Held(buckets.words, buckets.values.reshape(1, -1), np.zeros(1, int), np.ones(1, int), np.ones(1, int))
    with Workers(1) as workers:
        multiply_buckets(
            held, Matrix(dense, box, False, 24), Matrix(out, box, False, 24), np.array([0, 1]), form, workers
        )
    assert np.array_equal(out[0], matrix @ dense[0])


@pytest.mark.parametrize("block_size", [1, 4, 16])
def test_blocks_are_turned_in_place(block_size):
    values = np.random.default_rng(0).standard_normal((5, 3 * block_size**2)).astype(np.float32)
    out = np.empty_like(values)
    with Workers(2) as workers:
        turn_blocks(values, out, block_size, workers)
    blocks = values.reshape(5, 3, block_size, block_size)
    assert np.array_equal(out.reshape(blocks.shape), blocks.swapaxes(2, 3))
