"""Hardware made for sparse products: what a chip offers, worked out by hand, and that more of it is never slower."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ipusim.chip.load import chip_names, load_chip
from ipusim.codelets.dynamic_block import block_cycles, piece_cycles
from ipusim.codelets.dynamic_element_wise import chunked_worker_slots, forward_worker_slots
from ipusim.codelets.registry import codelet
from ipusim.codelets.static_block import static_block_cycles
from ipusim.codelets.static_element_wise import static_worker_slots
from ipusim.cost.sparse_units import (
    NO_UNITS,
    gathered_slots,
    listed_block_cycles,
    listed_row_cycles,
    skipping_cycles,
    sparse_units,
    use_lists,
)

BOW = load_chip("bow")


@pytest.mark.parametrize("name", chip_names())
def test_packaged_chips_offer_nothing(name):
    chip = load_chip(name)
    for block_size in (1, 4, 8, 16):
        for formats in (("float16", "float16"), ("float16", "float32"), ("float32", "float32")):
            assert sparse_units(chip, block_size, *formats, n_m=True) == NO_UNITS


@pytest.mark.parametrize(
    ("units", "rate", "port", "dtype", "elements"),
    [
        (1, 8, 16, "float16", 4),
        (2, 8, 16, "float16", 8),
        (4, 8, 16, "float16", 8),  # the port of the memory is the limit
        (4, 8, 32, "float16", 16),
        (1, 32, 32, "float32", 8),
        (1, 1, 16, "float16", 0),  # less than an element per cycle is no unit
    ],
)
def test_gather_units_share_the_port(units, rate, port, dtype, elements):
    chip = BOW.replace(gather_units=units, gather_bytes_per_cycle=rate, interleaved_load_bytes=port)
    assert sparse_units(chip, 1, dtype, dtype).gather_elements == elements
    assert sparse_units(chip, 4, dtype, dtype) == NO_UNITS


@pytest.mark.parametrize(
    ("block_size", "fraction", "port", "slots"),
    [
        # The AMP holds 256 weights and takes 4 slots a row. A column of a block loads its inputs, and the partial sums
        # of as many blocks as the AMP holds once: 16 blocks of 4, 4 blocks of 8.
        (16, 1.0, 16, 4.0),  # 256 / 256 * 4; (32 + 32) bytes / 16: the dense product
        (16, 0.5, 16, 8.0),
        (8, 1.0, 16, 1.25),  # (16 + 16 / 4) / 16
        (8, 1.0, 32, 1.0),  # 64 / 256 * 4
        (4, 1.0, 16, 0.53125),  # (8 + 8 / 16) / 16
        (4, 0.25, 16, 1.0),
        (4, 1.0, 64, 0.25),
    ],
)
def test_slots_of_a_column_of_a_listed_block(block_size, fraction, port, slots):
    chip = BOW.replace(interleaved_load_bytes=port, **{f"amp_block{block_size}_fraction": fraction})
    units = sparse_units(chip, block_size, "float16", "float16")
    assert units.column_slots == slots
    assert units.list_fill_slots == 18.5
    assert units.block_fill_slots == 18.5 * block_size**2 / 256
    assert sparse_units(chip, block_size, "bfloat16", "float16") == NO_UNITS, "there is no such AMP"


def test_an_n_m_pass_by_hand():
    chip = BOW.replace(amp_skip_n=2, amp_skip_m=4)
    assert sparse_units(chip, 1, "float16", "float16", n_m=False) == NO_UNITS
    units = sparse_units(chip, 1, "float16", "float16", n_m=True)
    assert (units.skip_rows, units.skip_weights, units.skip_fill_slots) == (16, 16, 18.5)
    # 256 weights of 16 bits and 2 bits of place; 32 inputs and 16 partial sums a column, through 16 bytes a cycle
    assert units.skip_load_cycles == -(-256 * 18 // (8 * BOW.amp_load_bytes_per_cycle))
    assert units.skip_column_slots == 6.0
    wide = chip.replace(interleaved_load_bytes=32)
    assert sparse_units(wide, 1, "float16", "float16", n_m=True).skip_column_slots == 4.0
    slow = wide.replace(amp_skip_fraction=0.5)
    assert sparse_units(slow, 1, "float16", "float16", n_m=True).skip_column_slots == 8.0
    # a place among two takes one bit, among three two
    for of, bits in ((2, 1), (3, 2), (8, 3)):
        one = sparse_units(chip.replace(amp_skip_n=1, amp_skip_m=of), 1, "float16", "float16", n_m=True)
        assert one.skip_load_cycles == -(-256 * (16 + bits) // (8 * BOW.amp_load_bytes_per_cycle))
    # 20 rows of 33 non-zeros: two groups of 16 rows, three passes each; 5 columns on the slowest worker
    cycles = skipping_cycles(20, 660, 5, 16, 16, 36, 6.0, 18.5, 6)
    assert cycles == 50 + 2 * 19 + 6 * (6 + 36 + 6 * 18.5 + 6 * 5 * 6)


def test_vertices_with_gather_units_by_hand():
    # 10 rows of 5 non-zeros, 16 columns: 40 further non-zeros of two chunks, 6 slots each, or 640 elements
    assert static_worker_slots(10, 50, 16, False) == 33 + 10 * 39 + 240
    assert static_worker_slots(10, 50, 16, False, 8) == 33 + 10 * 39 + 80
    assert static_worker_slots(10, 50, 16, False, 1) == 33 + 10 * 39 + 240, "slow units are not used"
    assert chunked_worker_slots(10, 16, 50, False, 8) == 33 + 10 * 47 + 100
    assert forward_worker_slots(10, 16, 1, 5, False, 8) == forward_worker_slots(10, 16, 1, 5, False) - 10 * (30 - 10)
    fields = {"worker_rows": 10, "worker_non_zeros": 50, "worker_cols": 16, "rows": 60, "non_zeros": 300, "cols": 16}
    settings = {"inputs": "float16", "partials": "float16", "block_size": 1}
    cycles = codelet("static_element_wise").cycles
    assert cycles(fields, settings, BOW.replace(gather_units=2)) == 6 * 503
    skipping = BOW.replace(amp_skip_n=1, amp_skip_m=8)
    assert cycles(fields, settings, skipping) == 6 * 663
    # four groups of rows of 5 non-zeros, a pass each, of (128 + 16) * 2 / 16 = 18 slots a column, 3 columns a worker
    load = -(-256 * 19 // (8 * BOW.amp_load_bytes_per_cycle))
    assert cycles(fields, settings | {"n_m": True}, skipping) == 50 + 4 * 19 + 4 * (6 + load + 6 * (18.5 + 3 * 18))


def test_vertices_with_block_lists_by_hand():
    # 4 rows of 3 blocks of 4, 8 columns on a worker: a block takes 16 + 4 + 21 * 6 = 146 cycles one by one
    assert static_block_cycles(4, 12, 8, 4, False, 6, 8) == 30 + 17 * 6 + 4 * 23 + 12 * 146
    block = listed_block_cycles(8, 4, 0.5, 1.15625, 6)
    assert block == 31  # 6 * (4 + 1.15625) = 30.9
    assert listed_row_cycles(18.5, 6) == 111
    assert static_block_cycles(4, 12, 8, 4, False, 6, 8, 0.5, 18.5, 1.15625) == 30 + 17 * 6 + 4 * (23 + 111) + 12 * 31
    assert listed_block_cycles(1, 64, 0.5, 1.0, 6) == 64, "loading the next block takes longer"
    assert not use_lists(31, 116, 146)
    assert use_lists(31, 115, 146)
    # rows of a single block and column: 4 * 68 one by one, 4 * (111 + 10) by list
    single = (4, 4, 1, 4, False, 6, 8)
    assert static_block_cycles(*single, 0.5, 18.5, 1.15625) == static_block_cycles(*single)
    dynamic = (8, 4, False, True, 8, True, 6)
    lists = (0.5, 18.5, 1.15625)
    one_by_one = 4 + 3 + 12 + 6 * (19 + 8 * 2 - 3)
    assert piece_cycles(4, 12, *dynamic) - piece_cycles(4, 12, *dynamic, *lists) == 12 * (one_by_one - 31) - 4 * 111
    whole = (2, 1, 1, 4, 8, 3, 4, False, True, 8, True, 6)
    assert block_cycles(*whole) - block_cycles(*whole, *lists) == 12 * (one_by_one - 31) - 4 * 111


@given(
    rows=st.integers(1, 50),
    more=st.integers(0, 500),
    cols=st.integers(1, 40),
    float_input=st.booleans(),
    units=st.integers(1, 64),
    extra=st.integers(0, 64),
)
def test_more_gather_units_are_never_slower(rows, more, cols, float_input, units, extra):
    non_zeros, z = rows + more, cols * (2 if float_input else 4)
    for slots in (static_worker_slots, lambda r, n, c, f, g: chunked_worker_slots(r, c, n, f, g)):
        most, some, none = (slots(rows, non_zeros, z, float_input, rate) for rate in (units + extra, units, 0))
        assert most <= some <= none
    assert gathered_slots(10, 100, units + extra) <= gathered_slots(10, 100, units) <= 10


@given(
    rows=st.integers(1, 30),
    per_row=st.integers(1, 30),
    cols=st.integers(1, 60),
    block_size=st.sampled_from([4, 8, 16]),
    fractions=st.tuples(st.floats(0.05, 1), st.floats(0.05, 1)),
    ports=st.tuples(st.sampled_from([16, 32, 64]), st.sampled_from([16, 32, 64])),
    partials=st.sampled_from(["float16", "float32"]),
)
def test_faster_lists_and_wider_ports_are_never_slower(rows, per_row, cols, block_size, fractions, ports, partials):
    found = []
    name = f"amp_block{block_size}_fraction"
    for fraction, port in ((min(fractions), min(ports)), (max(fractions), max(ports))):
        chip = BOW.model_copy(update={name: fraction, "interleaved_load_bytes": port})
        units = sparse_units(chip, block_size, "float16", partials)[:3]
        static = static_block_cycles(rows, rows * per_row, cols, block_size, False, 6, 8, *units)
        dynamic = (rows, rows * per_row, cols, block_size, False, partials == "float32", 8, True, 6)
        found.append((static, piece_cycles(*dynamic, *units)))
    none = (static_block_cycles(rows, rows * per_row, cols, block_size, False, 6, 8), piece_cycles(*dynamic))
    assert all(fast <= slow <= off for slow, fast, off in zip(*found, none, strict=True))
