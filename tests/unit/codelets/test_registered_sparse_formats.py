"""Formulas of registered sparse vertices in the formats and flags that they are made for, by hand."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from ipusim.chip.load import load_chip
from ipusim.codelets import dynamic_block
from ipusim.codelets.dynamic_block_grad_w import amp_pieces_cycles
from ipusim.codelets.registry import codelet
from ipusim.codelets.static_block import static_block_cycles
from ipusim.codelets.vectors import vector_elements
from ipusim.cost.sparse_units import listed_block_cycles, listed_row_cycles, sparse_units

BOW = load_chip("bow")
CHIP = SimpleNamespace(worker_contexts=6, data_path_bytes=8, copy_bytes_per_cycle=4)
FORMATS = ("float16", "float32")


def cycles(name: str, fields: dict[str, int], settings: dict[str, Any], chip: Any = CHIP) -> int:
    return codelet(name).cycles(fields, settings, chip)


@pytest.mark.parametrize("block_size", [4, 8, 16])
def test_gradients_of_blocks_in_every_format(block_size: int) -> None:
    fields = {"own_sub_groups": 2, "rows": 3, "blocks": 12, "worker_slots": 100, "cols": 40}
    for inputs, partials, units in (("float16", "float16", 16), ("float16", "float32", 8), ("float32", "float32", 16)):
        flags = (inputs == "float32", partials == "float32")
        settings = {"inputs": inputs, "partials": partials, "block_size": block_size, "amp": True}
        pieces = amp_pieces_cycles(2, 3, 12, 40, block_size, *flags, units, 6)
        assert cycles("dynamic_block_grad_w", fields, settings, BOW) == 75 + pieces
        one = amp_pieces_cycles(1, 3, 12, 40, block_size, *flags, units, 6)
        static = settings | {"vertex_block_size": block_size}
        assert cycles("static_block_grad_w", fields, static, BOW) == 75 - 26 + one


@pytest.mark.parametrize("block_size", [4, 8, 16])
@pytest.mark.parametrize(("inputs", "partials"), [(0, 0), (0, 1), (1, 1)])
@pytest.mark.parametrize("transposed", [False, True])
def test_products_of_blocks_in_every_format(block_size: int, inputs: int, partials: int, transposed: bool) -> None:
    fields = {"own_sub_groups": 3, "other_sub_groups": 2, "rows": 3, "blocks": 12, "worker_cols": 7}
    settings = {"inputs": FORMATS[inputs], "partials": FORMATS[partials], "block_size": block_size}
    units = dynamic_block.conv_units_of(BOW, FORMATS[inputs], FORMATS[partials])
    formats = (block_size, bool(inputs), bool(partials), units)
    whole = dynamic_block.block_cycles(1, 1, 1, 3, 7, 4, *formats, not transposed, 6)
    # a further sub-group has a start of its own, and nothing else
    start = 102 + 6 * dynamic_block.start_slots(*formats)
    expected = whole + 2 * 33 + 2 * start
    assert cycles("dynamic_block", fields, settings | {"transposed": transposed}, BOW) == expected
    if not transposed:
        assert cycles("dynamic_block", fields, settings, BOW) == expected


def test_block_lists_serve_forward_products_alone() -> None:
    listed = BOW.replace(amp_block4_fraction=1.0, interleaved_load_bytes=64)
    fields = {"own_sub_groups": 2, "other_sub_groups": 0, "rows": 3, "blocks": 30, "worker_cols": 7}
    settings = {"inputs": "float16", "partials": "float16", "block_size": 4}
    forward, back = settings | {"transposed": False}, settings | {"transposed": True}
    # a sixteenth of the AMP is a quarter of a slot a column and 18.5 / 16 to fill, for a row of blocks 18.5: 18 and 111
    # cycles; one by one a block takes 4 + 3 + 12 and 17 - 3 + 7 * 2 slots
    one = 4 + 3 + 12 + 6 * (17 - 3 + 7 * 2)
    saved = 30 * (one - 18) - 3 * 111
    assert cycles("dynamic_block", fields, forward, BOW) - cycles("dynamic_block", fields, forward, listed) == saved
    assert cycles("dynamic_block", fields, back, BOW) == cycles("dynamic_block", fields, back, listed)


def test_copies_scalars_and_results() -> None:
    # 65 cycles a row, and four bytes a cycle
    assert cycles("copy_rows", {"n_bytes": 1001, "rows": 3}, {}) == 3 * 65 + 251
    assert cycles("dynamic_control", {"operations": 5}, {}) == 0
    assert cycles("static_result", {}, {}) == 0


def test_vectors_of_a_data_path() -> None:
    chip = SimpleNamespace(data_path_bytes=8)
    assert [vector_elements(chip, each) for each in ("float8_e4m3", "float16", "float32", "int32")] == [8, 4, 2, 4]
    assert vector_elements(SimpleNamespace(data_path_bytes=2), "float32") == 1


def test_single_non_zeros_of_floats() -> None:
    # the published figures of 10 rows of 5 non-zeros by 4 columns
    fields = {"worker_rows": 10, "worker_non_zeros": 50, "worker_cols": 4}
    for dtype, expected in (("float16", 1086), ("float32", 1260)):
        settings = {"inputs": dtype, "partials": dtype}
        assert cycles("static_element_wise", fields, settings, BOW) == expected
        assert cycles("static_element_wise", fields, settings | {"n_m": True}, BOW) == expected


@pytest.mark.parametrize(("inputs", "partials", "units"), [("float16", "float32", 8), ("float32", "float32", 16)])
def test_block_lists_of_other_formats(inputs: str, partials: str, units: int) -> None:
    listed = BOW.replace(amp_block4_fraction=1.0, interleaved_load_bytes=64)
    settings = {"inputs": inputs, "partials": partials, "block_size": 4}
    offered = sparse_units(listed, 4, inputs, partials)
    assert offered.column_slots > 0
    single = inputs == "float32"
    load = 8 if single else 4
    block = listed_block_cycles(12, load, offered.column_slots, offered.block_fill_slots, 6)
    row = listed_row_cycles(offered.list_fill_slots, 6)
    # one by one: the load, 15 cycles, and on six workers 14 (19) - 3 slots and 4 (2) for each of 12 columns
    one = load + 15 + 6 * ((14 if single else 19) - 3 + 12 * (4 if single else 2))
    assert block + row <= one
    fields = {"own_sub_groups": 2, "other_sub_groups": 0, "rows": 3, "blocks": 30, "worker_cols": 12}
    assert dynamic_block.conv_units_of(BOW, inputs, partials) == units
    saved = cycles("dynamic_block", fields, settings, BOW) - cycles("dynamic_block", fields, settings, listed)
    assert saved == 30 * (one - block) - 3 * row
    # the static vertex: a header, and for each row and block what is less
    static = static_block_cycles(3, 30, 12, 4, single, 6, BOW.amp_load_bytes_per_cycle, *offered[:3])
    bare = static_block_cycles(3, 30, 12, 4, single, 6, BOW.amp_load_bytes_per_cycle)
    assert static < bare
    fields = {"rows": 3, "blocks": 30, "worker_cols": 12, "cols": 40}
    assert cycles("static_block", fields, settings, listed) == static
    assert cycles("static_block", fields, settings, BOW) == bare
