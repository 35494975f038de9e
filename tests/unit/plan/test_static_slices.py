import numpy as np
import pytest
from gradient_by_hand import static_gradient_case
from static_by_hand import pattern

from ipusim.chip.load import load_chip
from ipusim.plan.static_executed_grad_w import StaticGradientCycles
from ipusim.plan.static_gradient import gradient_on
from ipusim.plan.static_memory import reserved_bytes
from ipusim.plan.static_slices import slice_bytes, slice_edges, slice_numbers

BOW, TINY = load_chip("bow"), load_chip("tiny")


def full(bound_bytes, may_relax=False):
    """Blocks of 4 x 4 in 4 rows and 4 columns, a row on each tile, and 8 columns of the operands."""
    blocks = pattern("all", 4, 4, 4)
    return static_gradient_case(blocks, 8, TINY, n_splits=1, n_bands=1, bound_bytes=bound_bytes, may_relax=may_relax)


def test_two_slices_by_hand():
    # A tile gathers one block row of the left and four of the right operand, and has the sums of four blocks.
    sums = 4 * 16 * 2
    one, two = 5 * 4 * 8 * 2 + sums, 5 * 4 * 4 * 2 + sums
    whole, cut = full(one).plan, full(one - 1).plan
    assert (whole.n_slices, whole.temporary_bytes) == (1, one)
    assert (cut.n_slices, cut.temporary_bytes) == (2, two)
    assert cut.edges().tolist() == [[0], [4], [8]]
    assert not whole.amp
    assert not cut.amp
    # 2 workers, each with 2 blocks of a row: 26 + 9 + 2 (29 + 6 columns); every slice calls and starts anew
    assert whole.estimate == StaticGradientCycles(5 * 4 * 8 * 2 // 4, 0, 75 + 2 * (35 + 2 * (29 + 48)), 0, 0, 0, 0)
    assert cut.estimate == StaticGradientCycles(5 * 4 * 8 * 2 // 4, 0, 2 * (75 + 2 * (35 + 2 * (29 + 24))), 0, 0, 0, 0)
    assert cut.to_dict()["partition"]["s_n"] == 2


def test_a_bound_below_the_narrowest_slice_has_no_plan():
    whole, least = full(1 << 20).plan, 5 * 4 * 4 * 2 + 128
    assert gradient_on(whole.problem, whole.forward, TINY, least, may_relax=False).n_slices == 2
    assert gradient_on(whole.problem, whole.forward, TINY, least - 1, may_relax=False) is None
    assert gradient_on(whole.problem, whole.forward, TINY, least - 1).n_slices == 1


def test_what_may_be_relaxed_is_cut_only_where_one_piece_has_no_room():
    room = TINY.tile_sram_bytes - reserved_bytes(TINY)
    blocks = pattern("all", 4, 4, 4)

    def plan(n):
        return static_gradient_case(blocks, n, TINY, n_splits=1, n_bands=1, bound_bytes=4096).plan

    most = (room - 128) // (5 * 4 * 2) // 4 * 4
    assert plan(most).temporary_bytes > 4096
    assert plan(most).to_dict()["relaxed"]
    assert plan(most).n_slices == 1
    beyond = plan(most + 4)
    assert beyond.n_slices > 1
    assert beyond.temporary_bytes <= 4096
    assert slice_bytes(beyond.forward.partition, beyond.n_slices - 1, "float16", beyond.amp, TINY.n_tiles) > 4096


@pytest.mark.parametrize("amp", [False, True])
@pytest.mark.parametrize(("dtype", "n"), [("float16", 300), ("float32", 77)])
def test_slices_are_whole_vectors_and_cover_every_interval(amp, dtype, n):
    case = static_gradient_case(pattern("random", 12, 12, 8, seed=4), n, BOW, dtype, n_splits=3)
    partition = case.plan.forward.partition
    grain = (8 if dtype == "float32" else 16) if amp else (2 if dtype == "float32" else 4)
    numbers = list(slice_numbers(partition, amp))
    assert numbers[0] == 1
    assert numbers == sorted(set(numbers))
    for number in numbers:
        edges = slice_edges(partition, number, amp)
        widths = np.diff(edges, axis=0)
        assert np.array_equal(edges[0], partition.col_edges[:-1])
        assert np.array_equal(edges[-1], partition.col_edges[1:])
        assert widths.min() >= 0
        assert number == 1 or (widths[:-1][widths[1:] > 0] % grain == 0).all()
        assert (widths.max(axis=1) > 0).all()
    sizes = [slice_bytes(partition, number, dtype, amp, BOW.n_tiles) for number in numbers]
    assert sizes == sorted(sizes, reverse=True)
