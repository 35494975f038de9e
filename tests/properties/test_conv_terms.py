"""Planner and timing of convolutions share their formulas: terms agree one by one where shares are equal."""

from conv_by_hand import CHIPS, FORMATS, Case, document, graph_of
from hypothesis import given, settings
from hypothesis import strategies as st

from ipusim.cost.arithmetic import ceil_div
from ipusim.cost.exchange import rate_sixteenths, receive_cycles
from ipusim.engine.charges import NONE
from ipusim.engine.timing import time_program
from ipusim.plan.conv import conv_of, conv_variants
from ipusim.plan.conv_estimate import ConvSplit, largest_share


@st.composite
def even_cases(draw):
    """Draw a convolution without halo and padding, with a split that gives every tile the same share."""
    chip = draw(st.sampled_from(CHIPS))
    inputs, partials = draw(st.sampled_from(FORMATS))
    kernel = (draw(st.integers(1, 3)), draw(st.integers(1, 3)))
    stride = draw(st.sampled_from((kernel, (1, 1)))) if kernel == (1, 1) else kernel
    _, some = graph_of(document((1, 64, 8, 8), (64, 64, *kernel), inputs, partials=partials, stride=list(stride)))
    variant = draw(st.sampled_from(conv_variants(some, chip)))
    free = chip.n_tiles

    def parts(most):
        nonlocal free
        found = draw(st.integers(1, min(most, free)))
        free //= found
        return found

    p_groups, p_in, p_out, p_batch = parts(2), parts(3), parts(6), parts(2)
    p_h, p_w = (1, parts(6)) if some.is_flat else (parts(3), parts(3))
    split = ConvSplit(p_batch, p_groups, p_h, p_w, 1, p_in, p_out)
    # Enough elements that every one of the tiles that share a block keeps equally many of them, at least 64 bytes.
    width = 32 * p_out * p_in * p_h * p_batch
    field = (p_h * draw(st.integers(1, 2)), p_w * width)
    into, out = variant.in_channels * p_in, variant.out_channels * p_out * p_w * p_h * p_batch
    x = (p_batch, p_groups * into, field[0] * stride[0], field[1] * stride[1])
    w = (p_groups * out, into, *kernel)
    workload = document(x, w, inputs, partials=partials, stride=list(stride), groups=p_groups)
    return Case(chip, workload, graph_of(workload)[1], variant, split)


@given(even_cases())
@settings(max_examples=30, deadline=None)
def test_terms_agree_where_shares_are_equal_and_nothing_overlaps(case):
    found = time_program(case.program, case.chip, NONE).terms()
    expected, split, problem, chip = case.plan.estimate, case.split, case.problem, case.chip
    rate = rate_sixteenths(chip.exchange_bytes_per_cycle)
    assert found.get("inputs", 0) == expected.inputs
    assert found["amp"] == expected.amp
    # Credit of charges.py: neighbours in the field receive their weights together.
    weights = expected.weights
    share = largest_share(conv_of(problem), case.variant, split)
    tiles = split.p_h * split.p_w * split.p_batch
    if chip.exchange_bus_sharing and split.p_out == split.p_in == 1:
        n_bytes = share.groups * share.in_groups * case.variant.in_channels * share.out_groups
        n_bytes *= case.variant.out_channels * share.kernel_h * problem.kernel[1]
        n_bytes *= 2 if problem.inputs_format == "float16" else 4
        assert found.get("weights", 0) >= receive_cycles(n_bytes - n_bytes // tiles, 2 * rate)
        assert found.get("weights", 0) <= weights
    else:
        assert found.get("weights", 0) == weights
    assert found.get("reduce", 0) + found.get("cast", 0) == expected.reduce
    if split.p_in == 1:
        assert "partials" not in found
    else:
        outputs = share.batch * share.h * share.w * share.groups * share.out_groups * case.variant.out_channels
        partial_bytes = 2 if problem.partials_format == "float16" else 4
        moved = (split.p_in - 1) * ceil_div(outputs, split.p_in) * partial_bytes
        assert found["partials"] == receive_cycles(moved, rate)
