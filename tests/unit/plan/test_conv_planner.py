"""The convolution planner against brute force, its limits, and plans it is known to choose."""

from itertools import product as every

import pytest
from conv_by_hand import convolutions, document, graph_of
from hypothesis import given, settings

from ipusim.chip.load import load_chip
from ipusim.cost.arithmetic import ceil_div
from ipusim.plan.best_rows import search_rows
from ipusim.plan.conv import conv_of, conv_variants, plan_convolution
from ipusim.plan.conv_estimate import (
    AMP_1X1,
    AMP_NX1,
    HMAC,
    VMAC,
    ConvSplit,
    ConvVariant,
    estimate,
    largest_share,
    product_cycles,
    span,
    total_cycles,
)
from ipusim.plan.dense import machine_of
from ipusim.plan.dense_search import distinct_splits
from ipusim.plan.problem import PlanOptions

TINY = load_chip("tiny")
PAIRS = load_chip("tiny", n_tiles=8, tiles_per_exchange_bus=2, exchange_bus_sharing=True)
BOW = load_chip("bow")


def _problem(x, w, dtype="float16", **attributes):
    return graph_of(document(x, w, dtype, **attributes))[1]


def _every_plan(problem, chip):
    """Yield cycles and temporary bytes of every plan, tried one by one."""
    machine, conv = machine_of(chip), conv_of(problem)
    for variant in conv_variants(problem, chip):
        extents = (
            problem.batch,
            ceil_div(problem.groups, variant.side),
            *problem.field_out,
            problem.kernel[0],
            ceil_div(problem.in_channels, variant.in_channels),
            ceil_div(problem.out_channels, variant.out_channels),
        )
        for parts in every(*(distinct_splits(extent, chip.n_tiles).tolist() for extent in extents)):
            split = ConvSplit(*parts)
            tiles = 1
            for count in parts:
                tiles *= count
            mixes = split.p_groups < problem.groups and split.p_in * split.p_out > 1
            share = largest_share(conv, variant, split)
            cut = share.batch > 1 and share.h > 1 and split.p_w > 1
            if tiles <= chip.n_tiles and not mixes and not cut:
                terms = estimate(machine, conv, variant, split)
                yield total_cycles(terms), terms.temporary_bytes


@given(convolutions())
@settings(max_examples=30, deadline=None)
def test_the_search_finds_what_brute_force_finds(workload):
    _, problem = graph_of(workload)
    for chip in (TINY, PAIRS):
        for limit in (chip.tile_sram_bytes, chip.tile_sram_bytes // 32):
            plans = sorted(plan for plan in _every_plan(problem, chip) if plan[1] <= limit)
            rows, bound = search_rows(
                "conv", machine_of(chip), conv_of(problem), conv_variants(problem, chip), limit, 3, False
            )
            assert [row[:2] for row in rows] == plans[:3]
            assert bound == limit


def test_input_of_a_tile_reaches_as_far_as_its_windows():
    assert span(4, 3, 2, 1, 100) == 9
    assert span(4, 3, 1, 2, 100) == 8
    assert span(4, 7, 2, 1, 10) == 10
    assert span(1, 1, 5, 3, 1) == 1


def test_variants_follow_the_channels():
    flat = conv_variants(_problem((1, 64, 8, 8), (64, 64, 1, 1), partials="float16"), BOW)
    assert AMP_1X1 in {variant.vertex for variant in flat}
    wide = conv_variants(_problem((1, 64, 8, 8), (64, 64, 3, 3), partials="float16"), BOW)
    assert {variant.vertex for variant in wide} == {AMP_NX1}
    assert {variant.in_channels for variant in wide} == {4, 8, 16}
    narrow = conv_variants(_problem((1, 2, 8, 8), (3, 2, 3, 3), partials="float16"), BOW)
    assert HMAC in {variant.vertex for variant in narrow}
    single = conv_variants(_problem((1, 64, 8, 8), (64, 64, 3, 3), "float32"), BOW)
    assert {variant.in_channels for variant in single} == {2, 4, 8}


def test_depthwise_convolutions_take_channels_side_by_side():
    problem = _problem((1, 64, 28, 28), (64, 1, 3, 3), padding=1, groups=64, partials="float16")
    assert {variant.side for variant in conv_variants(problem, BOW) if variant.vertex == VMAC} == {4, 8, 16}
    assert plan_convolution(problem, BOW).to_dict()["vertex"] == "vmac"
    wide = _problem((1, 64, 28, 28), (64, 1, 3, 3), padding=1, groups=64, partials="float32")
    assert {variant.side for variant in conv_variants(wide, BOW) if variant.vertex == VMAC} == {4}
    single = _problem((1, 64, 28, 28), (64, 1, 3, 3), "float32", padding=1, groups=64, partials="float32")
    assert VMAC not in {variant.vertex for variant in conv_variants(single, BOW)}


def test_strided_kernels_of_one_are_not_flat():
    assert _problem((1, 8, 6, 6), (8, 8, 1, 1)).field_out == (1, 36)
    assert _problem((1, 8, 6, 6), (8, 8, 1, 1), stride=2).field_out == (3, 3)
    assert _problem((1, 8, 6, 6), (8, 8, 1, 1), padding=1).field_out == (8, 8)


def test_a_tile_of_a_3x3_convolution_by_hand():
    # Two workers; 16 output elements in 4 rows of 4; one channel group in and out; 3 x 3 positions, one at a time.
    problem = _problem((1, 4, 6, 6), (2, 4, 3, 3), partials="float32")
    machine, conv = machine_of(TINY), conv_of(problem)
    variant = ConvVariant(AMP_NX1, 2, 4, 2, 1)
    share = largest_share(conv, variant, ConvSplit(1, 1, 1, 1, 1, 1, 1))
    assert (share.in_h, share.in_w) == (6, 6)
    height = machine.amp_weight_bytes // (2 * 4)
    worker = 17 + 2 * (3 + 34 + 4 * (4 - 3) - 9)
    positions = ceil_div(3, height)
    load = 2 * machine.amp_weight_bytes // (min(8, machine.amp_load_bytes) if height == 4 else machine.amp_load_bytes)
    setup = {1: 15, 2: 46, 4: 60}[height]
    inner = positions * (14 + 3 * (12 + load + setup + 3 + max(2 * worker, 2 * worker + 9)))
    supervisor = 109 + 2 * 9 + 2 * 9 + (17 + 1) + 1 + 16 + 14 + 14 + inner
    zeroing = 2 * (ceil_div(ceil_div(16 * 2, 2), 2) + 5)
    assert product_cycles(machine, conv, variant, share) == supervisor + zeroing


@pytest.mark.parametrize(
    ("x", "w", "attributes", "vertex", "tiles"),
    [
        ((1, 64, 56, 56), (64, 64, 3, 3), {"padding": 1}, "amp_nx1", 1440),
        ((1, 2048, 7, 7), (512, 2048, 1, 1), {}, "amp_1x1", 1376),
        ((1, 3, 224, 224), (64, 3, 7, 7), {"padding": 3, "stride": 2}, "amp_nx1", 1344),
    ],
)
def test_layers_of_a_residual_network(x, w, attributes, vertex, tiles):
    plan = plan_convolution(_problem(x, w, partials="float16", **attributes), BOW)
    document = plan.to_dict()
    assert (document["vertex"], document["tiles_used"]) == (vertex, tiles)
    assert not plan.relaxed
    assert len(plan.runners_up) == 4
    assert [plan.cycles, *(other.cycles for other in plan.runners_up)] == sorted(
        [plan.cycles, *(other.cycles for other in plan.runners_up)]
    )
    assert sum(document["estimated_terms"].values()) == document["estimated_cycles"]


def test_the_memory_bound_is_kept_or_raised():
    problem = _problem((1, 64, 28, 28), (64, 64, 3, 3), padding=1)
    tight = PlanOptions(available_memory_proportion=0.0001)
    raised = plan_convolution(problem, BOW, tight)
    assert raised.relaxed
    assert raised.memory_bound_bytes > int(0.0001 * BOW.tile_sram_bytes)
    assert plan_convolution(problem, BOW, PlanOptions(0.0001, may_relax=False)) is None


def test_formats_without_an_amp_mode_have_no_plan():
    problem = _problem((1, 4, 4, 4), (4, 4, 1, 1), "float32", partials="float32")
    chip = load_chip("bow")
    modes = [mode for mode in chip.amp_modes if mode.inputs != "float32"]
    assert plan_convolution(problem, chip.replace(amp_modes=tuple(modes))) is None
