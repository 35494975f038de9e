"""What the registered vertices make of their settings: each format and flag reaches the formula that it belongs to.

The formulas themselves are held against published figures elsewhere. Of each vertex all formats are given, and they all
have different times, so that no setting can be lost, and none taken for another.
"""

from __future__ import annotations

from itertools import product
from types import SimpleNamespace
from typing import Any

import pytest

from ipusim.chip.load import load_chip
from ipusim.codelets import (
    amp_1x1,
    amp_nx1,
    binary_1d,
    broadcast_vector_outer,
    dynamic_slice_2d,
    hmac,
    multi_slice,
    multi_update_add,
    reduce_add,
    reduce_continuous,
    reduce_general_2d,
    reduce_rows,
    reduce_single_input,
    reduce_strided,
    slic,
    vmac,
)
from ipusim.codelets.registry import codelet
from ipusim.codelets.sparse_block_transpose_grad_w import block_transpose_grad_w_cycles
from ipusim.codelets.sparse_bucket_transpose import bucket_transpose_cycles
from ipusim.codelets.sparse_gather import gather_cycles

BOW = load_chip("bow")
CHIP = SimpleNamespace(worker_contexts=6, data_path_bytes=8, copy_bytes_per_cycle=4)
FORMATS = ("float16", "float32")
WIDE = tuple(enumerate(FORMATS))
"""Formats, and whether they are wide."""


def cycles(name: str, fields: dict[str, int], settings: dict[str, Any], chip: Any = CHIP) -> int:
    return codelet(name).cycles(fields, settings, chip)


def test_amp_1x1_in_every_mode() -> None:
    fields = {"rows": 20, "conv_groups": 2, "in_groups": 3, "out_groups": 2}
    common = (20, 2, 3, 2, 1)
    half = {"inputs": "float16", "partials": "float16", "units": 16, "in_channels": 16, "passes": 1}
    mixed = half | {"partials": "float32", "units": 8}
    single = {"inputs": "float32", "partials": "float32", "units": 8, "in_channels": 8, "passes": 1}
    found = []
    for settings, floats in ((half, (False, False)), (mixed, (False, True)), (single, (True, True))):
        wanted = tuple(settings[key] for key in ("inputs", "partials", "units", "in_channels"))
        modes = [mode for mode in BOW.amp_modes if (mode.inputs, mode.partials, mode.units, mode.in_channels) == wanted]
        if not modes:
            continue
        units = int(str(settings["units"]))
        load = units * BOW.amp_weight_bytes_per_unit // BOW.amp_load_bytes_per_cycle
        line = amp_1x1.measured_line_cycles(
            *common, load, modes[0].cycles_per_row, modes[0].worker_fill_slots, floats[0], not floats[0], 6
        )
        published = amp_1x1.vertex_cycles(*common, load, units, *floats, 6)
        assert cycles("amp_1x1", fields, settings, BOW) == line
        estimate = codelet("amp_1x1").estimate
        assert estimate is not None
        assert estimate(fields, settings, BOW) == published
        found += [line, published]
    assert len(found) >= 4
    assert len(set(found)) == len(found)


def test_amp_1x1_without_rows() -> None:
    for zeroing, floats in product((False, True), repeat=2):
        assert amp_1x1.inner_cycles(0, zeroing, 16, floats, floats, 6) == 0
        assert amp_1x1._quarter_inner_cycles(0, zeroing, 6) == 0
    # two rows on six workers: the four without any do not wait for
    assert amp_1x1._quarter_inner_cycles(2, False, 6) == amp_1x1.pass_cycles(
        amp_1x1.quarter_worker_cycles(1, False), 0, 6
    )
    # a pass of nothing still has its supervisor: 50 + 13 + 11 + 18 + 7 + load
    assert amp_1x1.measured_line_cycles(0, 1, 1, 1, 1, 64, 4.0, 18.5, False, False, 6) == 50 + 13 + 11 + 18 + 7 + 64
    one = amp_1x1.measured_line_cycles(6, 1, 1, 1, 1, 64, 4.0, 18.5, False, False, 6)
    assert one == 163 + 6 * 22.5 + 14
    # fewer rows than workers: nobody is a row behind
    assert amp_1x1.measured_line_cycles(5, 1, 1, 1, 1, 64, 4.0, 18.5, False, False, 6) == 163 + 6 * 22.5
    # 7 rows: two on one worker, so that the 14 cycles of the others do not show
    assert amp_1x1.measured_line_cycles(7, 1, 1, 1, 1, 64, 4.0, 18.5, False, False, 6) == 163 + 6 * 26.5
    # the state of the workers is set up once, and three slots for each further group
    assert amp_1x1.measured_line_cycles(0, 2, 3, 1, 1, 0, 4.0, 18.5, False, True, 6) == (
        50 + 6 * (7 + 3 * 5) + 2 * (13 + 2 * (15 + 19 + 6) + 11 + 18 + 7)
    )


@pytest.mark.parametrize(("inputs", "partials"), [(0, 0), (0, 1), (1, 1)])
@pytest.mark.parametrize("height", [1, 2, 4])
def test_amp_nx1_in_every_format(inputs: int, partials: int, height: int) -> None:
    units = 16 if (inputs, partials) == (0, 0) else 8
    fields = {"lines": 5, "width": 7, "conv_groups": 1, "in_groups": 2, "out_groups": 3}
    fields |= {"kernel_first": 3, "kernel_rest": 2}
    settings = {"inputs": FORMATS[inputs], "partials": FORMATS[partials], "units": units}
    settings |= {"filter_height": height, "passes": 2, "out_channels": 16}
    # four lines of weights are loaded 8 bytes a cycle, others as quickly as the AMP loads
    quick = BOW.replace(amp_load_bytes_per_cycle=16)
    load = units * 32 // (8 if height == 4 else 16)
    flags = (bool(inputs), bool(partials))
    # elements of each worker's pieces of 5 lines of 7, cut by hand: 5 or 6 elements each
    pieces = [(5,), (2, 4), (3, 3), (4, 2), (5, 1), (6,)]
    slots = [amp_nx1.worker_cycles(each, units, *flags) for each in pieces]
    assert amp_nx1.field_slots(5, 7, units, *flags, 6) == (max(slots), min(slots))
    expected = amp_nx1.vertex_cycles(
        max(slots), min(slots), 1, 2, 3, 2, load, height, 2, -(-3 // height), flags[1], 6
    ) + amp_nx1.zero_cycles(35, 16, 3, 1, 6)
    assert cycles("amp_nx1", fields, settings, quick) == expected


def test_whole_lines_of_a_field() -> None:
    # 13 lines of 2 on 6 workers: 4 or 5 elements each
    items = [(2, 2), (2, 2), (1, 2, 2)]
    for units, inputs, partials in ((16, False, False), (8, False, True), (8, True, True)):
        slots = {each: amp_nx1.worker_cycles(each, units, inputs, partials) for each in items}
        quickest = slots[2, 2]
        assert amp_nx1.field_slots(6, 4, units, inputs, partials, 3) == (
            (amp_nx1.worker_cycles((4, 4), units, inputs, partials),) * 2
        )
        slowest = amp_nx1.worker_cycles((2, 2, 1), units, inputs, partials)
        assert amp_nx1.field_slots(9, 2, units, inputs, partials, 4)[1] == quickest
        assert amp_nx1.field_slots(9, 2, units, inputs, partials, 4)[0] >= slowest


def test_a_product_is_a_field_of_one_line() -> None:
    for units, inputs, partials in ((16, False, False), (8, False, True), (8, True, True)):
        slots = amp_nx1.worker_cycles((2,), units, inputs, partials)
        expected = amp_nx1.vertex_cycles(slots, slots, 2, 3, 4, 1, 64, 2, 1, 1, partials, 6)
        expected += amp_nx1.zero_cycles(12, 5, 4, 2, 6)
        assert amp_nx1.matmul_cycles(12, 2, 3, 4, 5, 1, 64, units, 2, inputs, partials, 6) == expected
    for inputs, partials in product((False, True), repeat=2):
        width, columns = (2 if inputs else 4), (5 if partials else 3)
        slowest = hmac.worker_cycles(((2,),), columns, hmac.dot_cycles(8, width, inputs, partials), True, inputs)
        expected = hmac.vertex_cycles(slowest, 2, 3, 4, True, inputs, partials, 6)
        expected += amp_nx1.zero_cycles(12, 5, 4, 2, 6)
        assert hmac.matmul_cycles(12, 2, 3, 4, 8, 5, inputs, partials, 6) == expected


def test_lines_of_quarters() -> None:
    # 5 lines of 7 on 6 workers, as above
    pieces = [(5,), (2, 4), (3, 3), (4, 2), (5, 1), (6,)]
    slots = [amp_nx1.quarter_worker_cycles(each) for each in pieces]
    expected = amp_nx1.quarter_vertex_cycles(max(slots), min(slots), 1, 2, 3, 2, 64, 2, 3, 6)
    found = amp_nx1.quarter_convolution_cycles(5, 7, 1, 2, 3, 16, 2, 64, 2, 3, 6)
    assert found == expected + amp_nx1.zero_cycles(35, 16, 3, 1, 6)
    # 4 lines of 6 on 2 workers: two whole lines each
    slots = [amp_nx1.quarter_worker_cycles((6, 6))]
    expected = amp_nx1.quarter_vertex_cycles(slots[0], slots[0], 1, 1, 1, 1, 64, 1, 1, 2)
    assert amp_nx1.quarter_convolution_cycles(4, 6, 1, 1, 1, 16, 1, 64, 1, 1, 2) == (
        expected + amp_nx1.zero_cycles(24, 16, 1, 1, 2)
    )


def test_hmac_in_every_format() -> None:
    fields = {"lines": 5, "width": 7, "conv_groups": 1, "in_groups": 2, "out_groups": 3}
    fields |= {"kernel_first": 3, "kernel_rest": 2}
    found = set()
    for (inputs, first), (partials, second) in product(WIDE, WIDE):
        dot = hmac.dot_cycles(12, 2 if inputs else 4, bool(inputs), bool(partials))
        columns = 5 if partials else 3
        pieces = [(5,), (2, 4), (3, 3), (4, 2), (5, 1), (6,)]
        slowest = max(hmac.worker_cycles((each,) * 6, columns, dot, False, bool(inputs)) for each in pieces)
        expected = hmac.vertex_cycles(slowest, 1, 2, 3, False, bool(inputs), bool(partials), 6)
        expected += amp_nx1.zero_cycles(35, 5, 3, 1, 6)
        settings = {"inputs": first, "partials": second, "in_channels": 12, "out_channels": 5}
        assert cycles("hmac", fields, settings) == expected
        found.add(expected)
    assert len(found) == 4


def test_slic_and_vmac_with_float_partials() -> None:
    fields = {"rows": 31, "conv_group_groups": 2, "sub_kernels": 3}
    found = set()
    for (wide, partials), side, channels, chains in product(WIDE, (1, 8), (2, 4), (2, 4)):
        settings = {"inputs": "float16", "partials": partials, "chains": chains, "stride": 1}
        settings |= {"conv_groups_per_group": side, "channels_per_group": channels}
        windows = [
            slic.inner_cycles(
                slic.worker_cycles((6,), 1, chains, side, bool(wide), zeroing), 31, chains, bool(wide), zeroing, 6
            )
            for zeroing in (True, False)
        ]
        load = slic.weight_load_cycles(side, channels, 6)
        expected = slic.vertex_cycles(*windows, 2, 3, side, chains, load, bool(wide))
        assert cycles("slic", fields, settings) == expected
        found.add(expected)
    assert len(found) == 16
    fields = {"elements": 14, "conv_groups": 2, "kernel_first": 3, "kernel_rest": 2}
    for wide, partials in WIDE:
        slowest = vmac.worker_cycles((3,) * 5, 4, bool(wide))
        expected = vmac.vertex_cycles(slowest, 56, 4, 2, 1, bool(wide), 6)
        assert cycles("vmac", fields, {"partials": partials, "conv_groups_per_group": 4}) == expected


def test_elementwise_loops_of_floats_by_hand() -> None:
    outer = {"rows": 13, "cols": 24}
    # 12 vectors of two floats, three rows on a worker: addition takes a slot, maximum three
    add, maximum = {"op": "add", "dtype": "float32"}, {"op": "maximum", "dtype": "float32"}
    expected = broadcast_vector_outer.vertex_cycles(13, 24, 1, 2, False, True, 6)
    assert cycles("broadcast_vector_outer", outer, add) == expected
    assert cycles("broadcast_vector_outer", outer, maximum) == broadcast_vector_outer.vertex_cycles(
        13, 24, 3, 2, False, True, 6
    )
    # a power is computed element by element
    assert cycles("broadcast_vector_outer", outer, {"op": "power", "dtype": "float32"}) == (
        broadcast_vector_outer.vertex_cycles(13, 24, 2 * 312, 2, False, True, 6)
    )
    assert binary_1d.add_cycles(96, 2, True, True, 6) == 11 + 6 * (58 + 8 * 3)
    # whole numbers one by one, and neither 26 nor 58 slots of the others
    assert cycles("cast_1d", {"elements": 100}, {"input": "int32", "output": "float32"}) == 6 * (17 * 7 + 26)
    assert cycles("fill_1d", {"elements": 12}, {"dtype": "float16"}) == 6 * 21
    assert cycles("fill_1d", {"elements": 12}, {"dtype": "float32"}) == 6 * 24
    assert cycles("fill_1d", {"elements": 12}, {"dtype": "int32"}) == 6 * 24
    # one vector for each of six workers, then for one worker alone, then none
    grad = {"op": "relu_gradient", "dtype": "float32"}
    assert cycles("nonlinearity_grad_1d", {"elements": 12}, grad) == 9 + 6 * (20 + 4 + 1 + 2)
    assert cycles("nonlinearity_grad_1d", {"elements": 2}, grad) == 9 + 6 * (20 + 4 + 1 + 2)
    assert cycles("nonlinearity_grad_1d", {"elements": 1}, grad) < 9 + 6 * (20 + 4 + 1 + 2 + 5)


def test_fused_loops_of_floats_by_hand() -> None:
    settings: dict[str, Any] = {"dtype": "float32", "functions": ("add", "multiply"), "loads": 2}
    # 16 elements on a worker: 8 vectors of two operators, two loads in a slot, and a store
    assert cycles("fused_map", {"elements": 96, "rows": 0}, settings) == 11 + 6 * (29 + 8 * 4)
    # select is longer in halves (17 slots) than in floats (7), and has no grain
    settings["functions"] = ("select",)
    assert cycles("fused_map", {"elements": 96, "rows": 0}, settings) == 11 + 6 * (29 + 8 * 9)
    # gelu takes four vectors at a time: 17 elements of halves are two passes
    gelu = {"dtype": "float16", "functions": ("gelu", "add"), "loads": 2}
    assert cycles("fused_map", {"elements": 100, "rows": 0}, gelu) == 11 + 6 * (26 + 2 * 4 * 15)
    assert cycles("fused_map", {"elements": 100, "rows": 0}, gelu | {"functions": ("add",)}) == 11 + 6 * (26 + 5 * 3)
    with pytest.raises(ValueError, match="zip"):
        cycles("fused_map", {"elements": 96, "rows": 0}, settings | {"converted": (True, False)})


def test_slices_and_updates() -> None:
    fields = {"regions": 2, "region_elements": 9, "n_slices": 3}
    for wide, dtype in WIDE:
        expected = 6 * dynamic_slice_2d.worker_cycles(2, 9, 3, bool(wide))
        assert cycles("dynamic_slice_2d", fields, {"dtype": dtype}) == expected
    fields = {"in_range": 24, "out_of_range": 12, "row_elements": 60}
    for flag, size in product((False, True), (2, 4)):
        read = 6 * multi_slice.worker_cycles(4, 2, 60, size, flag)
        assert cycles("multi_slice", fields, {"element_bytes": size, "update": flag}) == read
        added = 6 * multi_update_add.worker_cycles(24, 12, 10, size, flag)
        assert cycles("multi_update_add", fields, {"element_bytes": size, "scaled": flag}) == added
    plain = {"element_bytes": 4}
    assert cycles("multi_slice", fields, plain) == 6 * multi_slice.worker_cycles(4, 2, 60, 4, False)
    assert cycles("multi_update_add", fields, plain) == 6 * multi_update_add.worker_cycles(24, 12, 10, 4, False)
    # less than a store is one store
    assert multi_update_add.worker_cycles(3, 0, 1, 4, False) == 32 + 3 * 11


FLAGS = tuple(product((False, True), repeat=2))


@pytest.mark.parametrize(("interleaved", "update"), FLAGS)
@pytest.mark.parametrize(("partials", "output"), tuple(product((0, 1), repeat=2)))
@pytest.mark.parametrize("op", ["add", "max"])
def test_reductions_with_every_setting(partials: int, output: int, op: str, interleaved: bool, update: bool) -> None:
    settings = {"partials": FORMATS[partials], "output": FORMATS[output], "op": op}
    settings |= {"interleaved": interleaved, "update": update}
    formats = (bool(partials), bool(output))
    add = op == "add"
    found = {
        "reduce_single_input": (
            {"elements": 103},
            reduce_single_input.worker_cycles(103, *formats, interleaved, add),
        ),
        "reduce_continuous": (
            {"outputs": 3, "partials": 57},
            reduce_continuous.worker_cycles(3, 57, formats[0], interleaved, update),
        ),
        "reduce_general_2d": (
            {"outputs": 3, "width": 23, "regions": 2, "rows": 5},
            reduce_general_2d.worker_cycles(
                3 * reduce_general_2d.output_cycles(23, 2, 5, *formats, interleaved, add, update)
            ),
        ),
        "reduce_strided": (
            {"outputs": 150, "partials": 7, "stride": 8, "outer_strides": 2},
            reduce_strided.worker_cycles(
                reduce_strided.worker_outputs(150, formats[1], 6), 7, 8, 2, *formats, interleaved, add, False, update
            ),
        ),
    }
    for name, (fields, slots) in found.items():
        assert cycles(name, fields, settings) == 6 * slots
    if not interleaved and not update:
        bare = {key: settings[key] for key in ("partials", "output", "op")}
        for name, (fields, slots) in found.items():
            assert cycles(name, fields, bare) == 6 * slots


def test_widths_of_the_reductions_by_hand() -> None:
    # 100 outputs in whole vectors on 6 workers: 25 vectors of four halves, 50 of two floats
    assert reduce_strided.worker_outputs(100, False, 6) == 5 * 4
    assert reduce_strided.worker_outputs(100, True, 6) == 9 * 2
    # single inputs: 100 floats are 25 accumulators of two loads, or one where memory is interleaved
    assert reduce_single_input.worker_cycles(100, True, True, False, True) == 9 + 50 + 5 + 3
    assert reduce_single_input.worker_cycles(100, True, True, True, True) == 9 + 25 + 5 + 3
    assert reduce_continuous.worker_cycles(2, 100, False, False, False) == 17 + 2 * (25 + 12)
    assert reduce_continuous.worker_cycles(2, 100, False, True, False) == 17 + 2 * (12 + 12)
    assert reduce_continuous.worker_cycles(2, 100, True, True, True) == 17 + 2 * (25 + 12) + 1


def test_logarithms_are_added_slowly() -> None:
    fields = {"outputs": 96, "partials": 7, "stride": 8, "outer_strides": 2}
    for wide, dtype in WIDE:
        settings = {"partials": dtype, "output": dtype, "op": "log_add"}
        share = reduce_strided.worker_outputs(96, bool(wide), 6)
        slow = reduce_strided.worker_cycles(share, 7, 8, 2, bool(wide), bool(wide), False, False, True, False)
        assert cycles("reduce_strided", fields, settings) == 6 * slow
        assert slow > reduce_strided.worker_cycles(share, 7, 8, 2, bool(wide), bool(wide), False, False, False, False)


@pytest.mark.parametrize(("partials", "output"), tuple(product((0, 1), repeat=2)))
@pytest.mark.parametrize(
    "shape", [(13, 64, 1), (6, 64, 1), (2, 6000, 1), (1, 7000, 1), (2, 8, 1), (12, 5, 48), (1, 5, 50), (7, 9, 6)]
)
def test_rows_of_every_format(shape: tuple[int, int, int], partials: int, output: int) -> None:
    outer, reduced, inner = shape
    wide, out = bool(partials), bool(output)

    def row(outputs: int, length: int, floats: bool) -> int:
        return 6 * reduce_continuous.worker_cycles(outputs, length, floats, False, False)

    def columns(count: int, add: bool) -> int:
        return reduce_strided.worker_cycles(count, reduced, inner, 1, wide, out, False, add, False, False)

    for op, add in (("add", True), ("max", False)):
        if inner == 1 and outer >= 6:
            expected = row(-(-outer // 6), reduced, wide)
        elif inner == 1:
            parts = 6 // outer
            expected = min(row(1, reduced, wide), row(1, -(-reduced // parts), wide) + row(1, parts, True))
        else:
            share = columns(reduce_strided.worker_outputs(inner, out, 6), add)
            expected = 6 * min(outer * share, -(-outer // 6) * columns(inner, add))
            if add:
                expected = min(expected, reduce_rows.block_sum_cycles(outer, reduced, inner, wide, 6))
        settings = {"partials": FORMATS[partials], "output": FORMATS[output], "op": op}
        assert cycles("reduce_rows", {"outer": outer, "reduced": reduced, "inner": inner}, settings) == expected


def test_sums_of_partial_results() -> None:
    found = set()
    for (partials, first), (output, second), fast in product(WIDE, WIDE, (False, True)):
        settings = {"partials": first, "output": second, "fast": fast}
        several = reduce_add.multi_input_cycles(96, 5, bool(output), bool(partials), 6)
        single = reduce_add.single_input_cycles(96, 4, bool(output), bool(partials), fast, 6)
        expected = min(single, several)
        assert cycles("reduce_add", {"outputs": 96, "depth": 5}, settings, BOW) == expected
        if not fast:
            bare = {"partials": first, "output": second}
            assert cycles("reduce_add", {"outputs": 96, "depth": 5}, bare, BOW) == expected
        found.add(expected)
    assert len(found) == 8
    assert cycles("reduce_add", {"outputs": 96, "depth": 1}, {"partials": "float16", "output": "float16"}, BOW) == 0
    # one partial sum of 24 floats that become 24 halves: vectors of two and of four, or twice that on a wide path
    cast = (24, 1, False, True, False, 1, True, 638976, 16384, 6)
    assert reduce_add.conv_reduce_cycles(*cast) == 6 * (2 + 26)
    assert reduce_add.conv_reduce_cycles(*cast, 16) == 6 * (1 + 26)
    assert reduce_add.conv_reduce_cycles(24, 1, True, False, *cast[4:]) == 6 * (2 + 26)


def test_buckets_and_gathers_of_floats() -> None:
    for wide, dtype in WIDE:
        settings = {"inputs": dtype, "partials": "float32", "block_size": 8}
        assert cycles("sparse_bucket_transpose", {"blocks": 5}, settings) == bucket_transpose_cycles(
            5, 8, 8, bool(wide), 6
        )
        assert cycles("sparse_gather", {"indices": 50}, settings) == gather_cycles(50, bool(wide), 6)
        assert cycles("sparse_block_transpose_grad_w", {"blocks": 13, "cols": 64}, settings) == (
            block_transpose_grad_w_cycles(13, 64, 8, bool(wide), 6)
        )
    # an odd index of floats is 5 slots more than the pairs, less the three of a pair
    assert gather_cycles(12, True, 6) == 18 + 6 * (23 + 5)
    assert gather_cycles(13, True, 6) == 18 + 6 * (23 + 5 + 5 - 3)
    assert gather_cycles(1, True, 6) == 18 + 6 * (23 + 5)
    # 4 x 8 floats are 2 x 4 grains of 3 slots
    assert bucket_transpose_cycles(6, 4, 8, True, 6) == 7 + 6 * (29 + 18 + 2 * (12 + 3 * 2))
    assert bucket_transpose_cycles(6, 8, 2, True, 6) == 7 + 6 * (27 + 35 + 3 * 2)
    assert bucket_transpose_cycles(18, 2, 2, True, 6) == 7 + 6 * (37 + 3)
