from dataclasses import replace

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from ipusim.chip.load import load_chip
from ipusim.cost.dynamic_overheads import DynamicOverheads
from ipusim.plan.dynamic_buckets import decode_buckets, encode_buckets
from ipusim.plan.dynamic_executed import executed_pass
from ipusim.plan.dynamic_partition import BucketOverflowError, partition_pattern
from ipusim.plan.dynamic_plan import plan_dynamic
from ipusim.plan.dynamic_problem import DynamicOptions
from ipusim.plan.dynamic_search import candidate_partitions
from ipusim.sparse.blocks import blocks_from_flat

CHIP = load_chip("bow", n_tiles=48)


@st.composite
def products(draw):
    """Any possible partition, and a pattern of the declared size or less, at random or in a corner."""
    block_size = draw(st.sampled_from([1, 4, 8]))
    rows, cols = draw(st.integers(1, 24)), draw(st.integers(1, 24))
    n = 4 * draw(st.integers(1, 6))
    density = draw(st.sampled_from([0.02, 0.1, 0.3, 1.0]))
    options = DynamicOptions(oversize=draw(st.sampled_from([0.0, 0.3, 1.0])), grad_w=draw(st.booleans()))
    size = (rows * block_size, cols * block_size, n, block_size, density, "float16", CHIP)
    free = plan_dynamic(*size, options)
    candidates = candidate_partitions(free.problem, 4 if block_size == 1 else 1, (0, 0, 0))
    chosen = tuple(candidates[draw(st.integers(0, len(candidates) - 1))].tolist())
    plan = plan_dynamic(*size, DynamicOptions(**{**_fields(options), "partition": chosen}))
    declared = plan.problem.non_zero_groups
    count = draw(st.integers(0, declared))
    if draw(st.booleans()):
        flat = np.arange(count)
    else:
        flat = np.sort(np.random.default_rng(draw(st.integers(0, 99))).choice(rows * cols, count, replace=False))
    blocks = blocks_from_flat(size[:2], block_size, flat)
    values = np.arange(1, count * block_size**2 + 1, dtype=np.float32).reshape(-1, block_size, block_size)
    return plan, blocks.with_data(values)


def _fields(options):
    return {name: getattr(options, name) for name in options.__dataclass_fields__}


@settings(deadline=None, max_examples=150)
@given(products())
def test_every_non_zero_is_in_one_bucket_or_the_pattern_is_refused(product):
    plan, matrix = product
    try:
        placement = partition_pattern(plan, matrix)
    except BucketOverflowError:
        # whatever is refused fits when everything has room
        roomy = replace(plan, bucket_groups=matrix.n_blocks, bucket_words=200 + 3 * matrix.n_blocks)
        placement = partition_pattern(roomy, matrix)
        assert placement.propagation_steps == 0
        return
    covered = np.zeros(matrix.n_blocks, int)
    for start, stop in zip(placement.piece_start, placement.piece_stop, strict=True):
        covered[placement.order[start:stop]] += 1
    assert (covered == 1).all()
    assert (placement.bucket_groups <= plan.bucket_groups).all()
    assert (placement.bucket_words < plan.bucket_words).all()
    back = decode_buckets(plan, encode_buckets(placement))
    assert np.array_equal(back.rows, matrix.rows)
    assert np.array_equal(back.cols, matrix.cols)
    assert np.array_equal(back.data, matrix.data)


@settings(deadline=None, max_examples=60)
@given(products())
def test_overheads_and_more_exchange_never_change_the_work(product):
    plan, matrix = product
    try:
        placement = partition_pattern(plan, matrix)
    except BucketOverflowError:
        return
    free = executed_pass(placement, CHIP, DynamicOverheads(0, 0, 0))
    charged = executed_pass(placement, CHIP, DynamicOverheads(300, 60, 100))
    assert charged.multiply == free.multiply
    assert charged.reduce == free.reduce
    assert charged.total > free.total
    assert free.total >= free.multiply > 0


@settings(deadline=None, max_examples=60)
@given(products(), st.integers(0, 1000))
def test_fewer_non_zeros_are_never_slower_without_spill(product, removed):
    plan, matrix = product
    kept = np.flatnonzero(np.random.default_rng(removed).random(matrix.n_blocks) < 0.5)
    flat = matrix.rows[kept].astype(np.int64) * max(1, matrix.grid[1]) + matrix.cols[kept]
    try:
        whole = partition_pattern(plan, matrix)
        part = partition_pattern(plan, blocks_from_flat(matrix.shape, matrix.block_size, flat))
    except BucketOverflowError:
        return
    if plan.problem.block_size == 1 or any(np.unique(p.piece_bucket).size < p.piece_bucket.size for p in (whole, part)):
        return
    overheads = DynamicOverheads(0, 0, 0)
    # a row costs one cycle, and one that is cut between two buckets counts twice
    cuts = plan.p_n
    assert executed_pass(part, CHIP, overheads).multiply <= executed_pass(whole, CHIP, overheads).multiply + cuts
