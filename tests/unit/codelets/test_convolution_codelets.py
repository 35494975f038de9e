import csv
from pathlib import Path
from types import SimpleNamespace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ipusim.codelets import amp_nx1, hmac, outer_product, slic, vmac
from ipusim.codelets.cast_1d import planner_cast_cycles
from ipusim.codelets.registry import codelet
from ipusim.cost.arithmetic import ceil_div
from ipusim.cost.worker_split import field_pieces
from ipusim.kernels.jit import compiled

VECTORS = Path(__file__).parents[2] / "data" / "vectors" / "dense_other.csv"
ROWS = list(csv.DictReader(VECTORS.open()))


def _rows(kind: str) -> list[dict[str, str]]:
    return [row for row in ROWS if row["kind"] == kind]


def _texts(row: dict[str, str]) -> dict[str, str]:
    return dict(pair.split("=") for pair in row["params"].split(";"))


def _numbers(row: dict[str, str]) -> dict[str, int]:
    return {name: int(value) for name, value in _texts(row).items()}


def _workers(row: dict[str, str]) -> list[str]:
    return row["worklist(worker|kernel_pos;items)"].split("|")[:-1]


def _items(text: str) -> tuple[int, ...]:
    return tuple(int(word) for word in text.split())


def test_every_row_belongs_to_a_test() -> None:
    counts = {kind: len(_rows(kind)) for kind in {row["kind"] for row in ROWS}}
    assert counts == {"nx1": 45, "hmac": 30, "vmac": 25, "slic": 40, "outer": 20, "zero": 10, "cast": 10}


@pytest.mark.parametrize("row", _rows("nx1"), ids=lambda row: row["params"])
def test_nx1(row: dict[str, str]) -> None:
    p = _texts(row)
    inputs, partials = (name == "float" for name in p["acts/partials"].split("/"))
    units, height = int(p["units"]), int(p["filter_height"])
    slots = [amp_nx1.worker_cycles(_items(text), units, inputs, partials) for text in _workers(row)]
    quickest = min(slots) if len(slots) == 6 else 0
    groups = (int(p["conv_groups"]), int(p["in_groups"]), int(p["out_groups"]))
    passes = ceil_div(int(p["out_chans_per_group"]), units)
    load = units * 32 // (8 if height == 4 else int(p["ld_bytes"]))
    positions = (int(p["kernel_inner"]), int(p["kernel_outer"]))
    cycles = amp_nx1.vertex_cycles(max(slots), quickest, *groups, passes, load, height, *positions, partials, 6)
    assert cycles == int(row["cycles"])


@pytest.mark.parametrize("row", _rows("zero"), ids=lambda row: row["params"])
def test_zero(row: dict[str, str]) -> None:
    p = _numbers(row)
    cycles = amp_nx1.zero_cycles(p["field"], p["out_chans_per_group"], p["out_groups"], p["conv_groups"], 6)
    assert cycles == int(row["cycles"])


@pytest.mark.parametrize("row", _rows("hmac"), ids=lambda row: row["params"])
def test_hmac(row: dict[str, str]) -> None:
    p = _numbers(row)
    inputs, partials, is_1x1 = (p[name] == 1 for name in ("float_acts", "float_partials", "is_1x1"))
    columns = p["out_chans"] if partials else ceil_div(p["out_chans"], 2)
    dot = hmac.dot_cycles(p["in_chans"], p["vector_width"], inputs, partials)
    lists = [tuple(_items(text) for text in worker.split(";")[:-1]) for worker in _workers(row)]
    slowest = max(hmac.worker_cycles(positions, columns, dot, is_1x1, inputs) for positions in lists)
    groups = (p["conv_groups"], p["in_groups"], p["out_groups"])
    assert hmac.vertex_cycles(slowest, *groups, is_1x1, inputs, partials, 6) == int(row["cycles"])


@pytest.mark.parametrize("row", _rows("vmac"), ids=lambda row: row["params"])
def test_vmac(row: dict[str, str]) -> None:
    p = _numbers(row)
    side, partials = p["conv_groups_per_group"], p["float_partials"] == 1
    slowest = max(vmac.worker_cycles(_items(text), side, partials) for text in _workers(row))
    groups = (p["conv_groups"], p["in_groups"])
    assert vmac.vertex_cycles(slowest, p["num_out_elems"], side, *groups, partials, 6) == int(row["cycles"])


@pytest.mark.parametrize("row", _rows("slic"), ids=lambda row: row["params"])
def test_slic(row: dict[str, str]) -> None:
    p = _numbers(row)
    side, chains, partials = p["conv_groups_per_group"], p["chains"], p["float_partials"] == 1
    lists = [_items(text) for text in _workers(row)]
    load = slic.weight_load_cycles(side, p["chans_per_group"], 6)
    assert load == p["weight_load"]
    windows = []
    for zeroing in (True, False):
        slowest = max(slic.worker_cycles(x, p["out_stride"], chains, side, partials, zeroing) for x in lists)
        windows.append(slic.inner_cycles(slowest, sum(map(sum, lists)), chains, partials, zeroing, 6))
    assert windows == [p["I_zeroing"], p["I_no_zeroing"]]
    groups = (p["conv_group_groups"], p["num_sub_kernels"])
    assert slic.vertex_cycles(*windows, *groups, side, chains, load, partials) == int(row["cycles"])


@pytest.mark.parametrize("row", _rows("outer"), ids=lambda row: row["params"])
def test_outer_product(row: dict[str, str]) -> None:
    p = _numbers(row)
    cycles = outer_product.worker_cycles(p["width"], p["chans_per_group"], p["chan_groups"], p["float"] == 1)
    assert cycles == int(row["cycles"])


@pytest.mark.parametrize("row", _rows("cast"), ids=lambda row: row["params"])
def test_planner_cast(row: dict[str, str]) -> None:
    p = _numbers(row)
    assert planner_cast_cycles(p["out_size"], p["vec_partials"], p["vec_out"], 6) == int(row["cycles"])


def test_quarter_nx1_by_hand() -> None:
    # One item of 3 rows: 18 + 16 + 27 slots; one other position: 7 * 6 + 8 + 36; two loads of 64 cycles.
    assert amp_nx1.quarter_worker_cycles((3,)) == 61
    assert amp_nx1.quarter_worker_cycles((0, 1, 2, 4)) == 18 + 4 * 16 + 4 + 18 + 23 + 31
    inner = (33 + 103 + 86 + 128) + 2 * 366 + 2 * 9
    cycles = amp_nx1.quarter_vertex_cycles(61, 61, 1, 1, 1, 1, 64, 2, 1, 6)
    assert cycles == 83 + 37 + 58 + 61 + inner


CHIP = SimpleNamespace(worker_contexts=6, amp_load_bytes_per_cycle=8, amp_weight_bytes_per_unit=32)
HALF = {"inputs": "float16", "partials": "float16", "units": 16}


def test_registered_nx1_clears_its_outputs_first() -> None:
    fields = {"lines": 1, "width": 12, "conv_groups": 1, "in_groups": 2, "out_groups": 3}
    fields |= {"kernel_first": 2, "kernel_rest": 3}
    settings = {**HALF, "filter_height": 2, "passes": 1, "out_channels": 16}
    slots = amp_nx1.worker_cycles((2,), 16, False, False)
    expected = amp_nx1.vertex_cycles(slots, slots, 1, 2, 3, 1, 64, 2, 3, 1, False, 6)
    assert codelet("amp_nx1").cycles(fields, settings, CHIP) == expected + amp_nx1.zero_cycles(12, 16, 3, 1, 6)
    quarter = codelet("amp_nx1").cycles(fields, {**settings, "inputs": "float8_e4m3fnuz"}, CHIP)
    slots = amp_nx1.quarter_worker_cycles((2,))
    expected = amp_nx1.quarter_vertex_cycles(slots, slots, 1, 2, 3, 1, 64, 3, 1, 6)
    assert quarter == expected + amp_nx1.zero_cycles(12, 16, 3, 1, 6)


def test_registered_hmac_clears_its_outputs_unless_it_overwrites_them() -> None:
    settings = {**HALF, "out_channels": 1, "in_channels": 8}
    once = {"lines": 1, "width": 12, "conv_groups": 1, "in_groups": 1, "out_groups": 3}
    once |= {"kernel_first": 1, "kernel_rest": 1}
    twice = {**once, "in_groups": 2}
    dot = hmac.dot_cycles(8, 4, False, False)
    slowest = hmac.worker_cycles(((2,),), 1, dot, True, False)
    cycles = codelet("hmac").cycles
    assert cycles(once, settings, CHIP) == hmac.vertex_cycles(slowest, 1, 1, 3, True, False, False, 6)
    cleared = hmac.vertex_cycles(slowest, 1, 2, 3, True, False, False, 6) + amp_nx1.zero_cycles(12, 1, 3, 1, 6)
    assert cycles(twice, settings, CHIP) == cleared


def test_workers_cut_the_field_at_the_ends_of_rows() -> None:
    # 3 rows of 5 elements over 6 workers: elements 0-1, 2-4, 5-6, 7-9, 10-11, 12-14, no row end inside of any share.
    assert [field_pieces(worker, 6, 3, 5) for worker in range(6)] == [(2, 0, 0), (3, 0, 0)] * 3
    # 4 rows of 5 over 2 workers are 2 whole rows each; 3 rows of 4 over 2 workers end within the second row.
    assert [field_pieces(worker, 2, 4, 5) for worker in range(2)] == [(5, 1, 0)] * 2
    assert [field_pieces(worker, 2, 3, 4) for worker in range(2)] == [(4, 0, 2), (2, 1, 0)]
    assert field_pieces(0, 6, 1, 3) == (0, 0, 0)


@settings(max_examples=50, deadline=None)
@given(st.integers(1, 20), st.integers(1, 20), st.integers(1, 7))
def test_pieces_of_all_workers_make_up_the_field(lines: int, width: int, workers: int) -> None:
    pieces = [field_pieces(worker, workers, lines, width) for worker in range(workers)]
    assert sum(first + whole * width + last for first, whole, last in pieces) == lines * width
    assert all(0 <= first <= width and 0 <= last < width for first, _, last in pieces)


@pytest.mark.parametrize(("lines", "width"), [(1, 12), (3, 5), (7, 7), (2, 1)])
def test_slots_of_a_field_are_those_of_its_pieces(lines: int, width: int) -> None:
    items = [
        [n for n in (first, *[width] * whole, last) if n]
        for first, whole, last in (field_pieces(worker, 6, lines, width) for worker in range(6))
    ]
    slots = [amp_nx1.worker_cycles(each, 16, False, False) if each else 0 for each in items]
    assert amp_nx1.field_slots(lines, width, 16, False, False, 6) == (max(slots), min(slots))
    dot = hmac.dot_cycles(8, 4, False, True)
    busiest = max(hmac.worker_cycles([each] * 9, 1, dot, False, False) for each in items if each)
    assert hmac.field_slots(lines, width, 9, 1, dot, False, 6) == busiest


def test_registered_slic_vmac_and_outer_product() -> None:
    fields = {"rows": 12, "conv_group_groups": 2, "sub_kernels": 3}
    settings = {**HALF, "chains": 4, "stride": 1, "conv_groups_per_group": 2, "channels_per_group": 2}
    first, later = (
        slic.inner_cycles(slic.worker_cycles((2,), 1, 4, 2, False, zeroing), 12, 4, False, zeroing, 6)
        for zeroing in (True, False)
    )
    half = slic.vertex_cycles(first, later, 2, 3, 2, 4, slic.weight_load_cycles(2, 2, 6), False)
    assert codelet("slic").cycles(fields, settings, CHIP) == half
    quarter = codelet("slic").cycles(fields, {**settings, "inputs": "float8_e5m2"}, CHIP)
    assert quarter == half - 3 * (slic.weight_load_cycles(2, 2, 6) - 54)

    # 14 elements and kernel lines of 3 in 2 columns: 28 items, at most 5 for each of 6 workers.
    slowest = vmac.worker_cycles((3,) * 5, 4, False)
    fields = {"elements": 14, "conv_groups": 2, "kernel_first": 3, "kernel_rest": 2}
    expected = vmac.vertex_cycles(slowest, 56, 4, 2, 1, False, 6)
    assert codelet("vmac").cycles(fields, {**HALF, "conv_groups_per_group": 4}, CHIP) == expected

    outer = codelet("outer_product").cycles(
        {"width": 13, "channel_groups": 2}, {"dtype": "float32", "channels": 8}, CHIP
    )
    assert outer == 6 * outer_product.worker_cycles(3, 8, 2, True)


counts = st.integers(1, 9)


@settings(max_examples=50, deadline=None)
@given(st.tuples(*[counts] * 6), st.booleans(), st.sampled_from([1, 2, 4]))
def test_compiled_equals_interpreted(numbers: tuple[int, ...], flag: bool, height: int) -> None:
    a, b, c, d, e, f = numbers
    for function, arguments in (
        (amp_nx1.vertex_cycles, (a + b, b, c, d, e, f, 64, height, a, b, flag, 6)),
        (amp_nx1.quarter_vertex_cycles, (a + b, b, c, d, e, f, 64, a, b, 6)),
        (amp_nx1.item_cycles, (a, 8 * height, flag, flag)),
        (amp_nx1.zero_cycles, (a * b, c, d, e, 6)),
        (hmac.vertex_cycles, (a, b, c, d, flag, flag, flag, 6)),
        (hmac.dot_cycles, (a * b, 2 if flag else 4, flag, flag)),
        (hmac.item_cycles, (a, b, c, flag)),
        (slic.vertex_cycles, (a, b, c, d, 4 * height, 2 * height, 34, flag)),
        (slic.item_cycles, (a, b, 2, flag, not flag)),
        (slic.weight_load_cycles, (height, a, 6)),
        (vmac.vertex_cycles, (a, b * c, 4, d, e, flag, 6)),
        (outer_product.vertex_cycles, (a, b, c, flag, 6)),
    ):
        assert compiled(function)(*arguments) == function(*arguments)


@settings(max_examples=50, deadline=None)
@given(st.integers(1, 200), st.integers(1, 60), st.integers(1, 8), st.booleans())
def test_more_field_elements_are_never_quicker(width: int, channels: int, groups: int, float_type: bool) -> None:
    now = outer_product.vertex_cycles(width, channels, groups, float_type, 6)
    assert outer_product.vertex_cycles(width + 1, channels, groups, float_type, 6) >= now
    assert amp_nx1.zero_cycles(width + 1, channels, 1, 1, 6) >= amp_nx1.zero_cycles(width, channels, 1, 1, 6)
    assert slic.item_cycles(width + 6, 1, 2, float_type, True) > slic.item_cycles(width + 5, 1, 2, float_type, True)
    assert hmac.item_cycles(width + 1, 2, 9, float_type) > hmac.item_cycles(width, 2, 9, float_type)
    assert vmac.item_cycles(width + 1, 8, False) > vmac.item_cycles(width, 8, False)
