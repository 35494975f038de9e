"""Operations and bytes of vertex sets, counted by hand: two vertices of different sizes of every kind."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from ipusim.chip.load import load_chip
from ipusim.codelets.registry import codelet
from ipusim.codelets.work import Traffic, gradient_product_work, scattered_product_work
from ipusim.cost.energy import Work
from ipusim.ir.program import Operand, VertexSet
from ipusim.ir.regions import whole_boxes

BOW = load_chip("bow")
TRAFFIC = Traffic(read_bytes=100, written_bytes=40, written_elements=20)


def matrix(*boxes: tuple[int, int], segments: list[int] | None = None) -> Operand:
    """Return an operand whose regions have so many rows and columns, somewhere."""
    extents = np.array([[1, 2, 5, 5 + rows, 7, 7 + cols] for rows, cols in boxes], np.int64)
    return Operand("v", "in", whole_boxes(extents), None if segments is None else np.array(segments, np.int64))


def vertices(
    name: str, fields: dict[str, list[int]], settings: dict[str, Any], operands: tuple[Operand, ...] = ()
) -> VertexSet:
    arrays = {key: np.array(values, np.int64) for key, values in fields.items()}
    tiles = np.zeros(len(next(iter(arrays.values()))), np.int32)
    return VertexSet(name, name, tiles, arrays, operands, settings)


def work(name: str, fields: dict[str, list[int]], settings: dict[str, Any], operands: tuple[Operand, ...] = ()) -> Work:
    return codelet(name).work(vertices(name, fields, settings, operands), BOW, TRAFFIC)


def vector(number_format: str, flops: int, read: int, written: int) -> Work:
    return Work(number_format, number_format, vector_flops=flops, read_bytes=read, written_bytes=written)


@pytest.mark.parametrize(("dtype", "size"), [("float16", 2), ("float32", 4)])
def test_vertices_of_the_vector_path(dtype: str, size: int) -> None:
    # 8 elements of 3 slices and 5 of 2
    sliced = work("dynamic_slice_1d", {"region_elements": [8, 5], "n_slices": [3, 2]}, {"dtype": dtype})
    assert sliced == vector(dtype, 0, 34 * size, 34 * size)
    # 2 rows of 10 and 3 of 5, and 4 and 1 indices of rows elsewhere; an index takes four bytes
    rows = {"in_range": [2, 3], "out_of_range": [4, 1], "row_elements": [10, 5]}
    read = work("multi_slice", rows, {"element_bytes": size})
    assert read == Work(read_bytes=35 * size + 10 * 4, written_bytes=35 * size)
    added = work("multi_update_add", rows, {"element_bytes": size, "dtype": dtype})
    assert added == vector(dtype, 35, 2 * 35 * size + 10 * 4, 35 * size)
    # 3 elements times 2 groups of 8 channels, and 5 times 1
    outer = work("outer_product", {"width": [3, 5], "channel_groups": [2, 1]}, {"dtype": dtype, "channels": 8})
    assert outer == vector(dtype, 88, 100, 40)
    # 4 sums of 3 and 6 of 5 partial sums: 2 and 4 additions each
    summed = work("reduce_add", {"outputs": [4, 6], "depth": [3, 5]}, {"partials": dtype, "output": "float16"})
    assert summed == vector(dtype, 8 + 24, 100, 40)
    kept = work("heap_top_k", {"rows": [2, 3], "elements": [10, 20]}, {"dtype": dtype})
    assert kept == vector(dtype, 80, 100, 40)
    # 5 loads of the 11 elements with 3 channels each; 4 additions and 2 products
    settings = {"dtype": dtype, "taps": 5, "factors": 2, "channels": 3}
    assert work("stencil", {"lines": [2, 1], "columns": [4, 3]}, settings) == vector(
        dtype, 6 * 33, 5 * 33 * size, 33 * size
    )


def test_what_only_moves_and_what_names_no_format() -> None:
    moved = Work(read_bytes=100, written_bytes=40)
    assert work("sparse_zero", {"partials": [5]}, {"partials": "float32"}) == moved
    assert work("dynamic_control", {"operations": [5]}, {}) == moved
    assert work("select", {"regions": [1], "region_elements": [3]}, {}) == vector("float16", 0, 100, 40)
    # a format of the inputs is as good, and any narrow one is computed in float16
    assert work("fill_1d", {"elements": [3]}, {"inputs": "float32"}) == vector("float32", 20, 100, 40)
    assert work("fill_1d", {"elements": [3]}, {"dtype": "float8_e5m2", "inputs": "float32"}) == vector(
        "float16", 20, 100, 40
    )


def test_products_of_the_vector_path() -> None:
    # 10 elements by 2 * 3 channels and 12 by 1 * 3: sums of a pass over 2 (4) input groups and 3 (1) kernel elements
    fields = {"lines": [2, 3], "width": [5, 4], "conv_groups": [1, 1], "in_groups": [2, 4], "out_groups": [2, 1]}
    fields |= {"kernel_first": [3, 1], "kernel_rest": [1, 1]}
    passes = 60 * 6 + 36 * 4
    for inputs, partials, data, size in (("float16", "float32", 2, 4), ("float32", "float16", 4, 2)):
        settings = {"inputs": inputs, "partials": partials, "in_channels": 8, "out_channels": 3}
        macs = 8 * passes
        expected = vector(inputs, 2 * macs, 2 * macs * data + passes * size, passes * size)
        assert work("hmac", fields, settings) == expected
    fields["conv_groups"] = [3, 1]
    fields["kernel_rest"] = [1, 5]
    tripled = work("hmac", fields, {"inputs": "float16", "partials": "float16", "in_channels": 1, "out_channels": 1})
    assert tripled.vector_flops == 2 * (10 * 3 * 2 * 2 * 3 + 12 * 4 * 5)


def test_products_of_the_amp_say_their_formats() -> None:
    settings = {"units": 8, "in_channels": 16, "passes": 3, "inputs": "float16", "partials": "float32"}
    fields = {"rows": [10, 2], "conv_groups": [1, 1], "in_groups": [2, 1], "out_groups": [3, 1]}
    macs, loads = 8 * 16 * 3 * (60 + 2), 3 * (6 + 1)
    rate = max(mode.flops_per_cycle for mode in BOW.amp_modes_for("float16", "float32") if mode.units == 8)
    assert work("amp_1x1", fields, settings) == Work(
        "float16", "float32", 2 * macs, 2 * macs / rate, read_bytes=8 * BOW.amp_weight_bytes_per_unit * loads
    )
    # no such mode: the operations are counted, and no time at the full rate
    none = work("amp_1x1", fields, settings | {"inputs": "bfloat16"})
    assert (none.inputs, none.amp_flops, none.amp_cycles) == ("bfloat16", 2 * macs, 0.0)


@pytest.mark.parametrize(("inputs", "partials", "size"), [("float16", "float16", 2), ("float32", "float32", 4)])
def test_products_of_blocks(inputs: str, partials: str, size: int) -> None:
    # 3 blocks by 10 columns and 2 by 5, of 8 x 8; a block is loaded with its two bytes of place
    settings = {"inputs": inputs, "partials": partials, "block_size": 8}
    macs, loaded = (30 + 10) * 64, 5 * (64 * size + 2)
    rate = max(mode.flops_per_cycle for mode in BOW.amp_modes_for(inputs, partials))
    expected = Work(inputs, partials, 2 * macs, 2 * macs / rate, read_bytes=loaded)
    assert work("static_block", {"rows": [1, 1], "blocks": [3, 2], "cols": [10, 5]}, settings) == expected
    # a dynamic product has its columns from the operand: of boxes, of several regions, and from rows where it is turned
    for flipped, operand in (
        (False, matrix((4, 10), (3, 5))),
        (True, matrix((10, 4), (5, 3))),
        (False, matrix((4, 6), (1, 4), (3, 5), segments=[0, 2, 3])),
        (True, matrix((6, 4), (4, 1), (5, 3), segments=[0, 2, 3])),
    ):
        fields = {"blocks": [3, 2]}
        own = settings | {"dense_flipped": flipped}
        assert work("dynamic_block", fields, own, (matrix((1, 1), (1, 1)), operand)) == expected
    assert work("dynamic_block", {"blocks": [0, 0]}, settings) == Work(inputs, partials)


def test_products_of_single_non_zeros() -> None:
    settings = {"inputs": "float16", "partials": "float32", "dense_flipped": False}
    # 6 and 4 non-zeros by 5 and 9 columns, of which whole vectors of four are computed: 8 and 12
    values, sums = matrix((2, 3), (1, 4)), matrix((2, 5), (3, 9))
    fields = {"worker_rows": [1, 1]}
    macs = 6 * 8 + 4 * 12
    static = work("static_element_wise", fields, settings, (values, values, sums))
    assert static == vector("float16", 2 * macs, macs * 2 + 10 * (2 + 2), (10 + 27) * 4)
    # a dynamic product adds to sums that are there; a vertex without non-zeros touches none
    dense, sums = matrix((4, 5), (4, 9), (4, 7)), matrix((2, 5), (3, 9), (2, 7))
    found = scattered_product_work(
        vertices("dynamic_element_wise", {"non_zeros": [6, 4, 0]}, settings, (values, dense, sums)), BOW, TRAFFIC
    )
    macs, touched = 6 * 5 + 4 * 9, (10 + 27) * 4
    assert found == vector("float16", 2 * macs, macs * 2 + 10 * (2 + 2) + touched, touched)
    nothing = vertices("dynamic_element_wise", {"non_zeros": [0]}, settings)
    assert scattered_product_work(nothing, BOW, TRAFFIC) == Work()


@pytest.mark.parametrize(("inputs", "size"), [("float16", 2), ("float32", 4)])
def test_gradients_of_weights(inputs: str, size: int) -> None:
    settings = {"inputs": inputs, "partials": "float32", "block_size": 4, "amp": False}
    # 3 blocks by 10 columns and 2 by 5; each column loads both edges of a block, and each block its sums and its place
    macs, sums = (30 + 10) * 16, 5 * 16 * 4
    plain = vertices("dynamic_block_grad_w", {"blocks": [3, 2], "cols": [10, 5]}, settings)
    expected = vector(inputs, 2 * macs, 2 * (30 + 10) * 4 * size + 5 * 2 + sums, sums)
    assert gradient_product_work(plain, BOW, TRAFFIC) == expected
    single = vertices("dynamic_element_wise_grad_w", {"non_zeros": [3, 2], "cols": [10, 5]}, settings)
    assert gradient_product_work(single, BOW, TRAFFIC) == expected
    fast = vertices("dynamic_block_grad_w", {"blocks": [3, 2], "cols": [10, 5]}, settings | {"amp": True})
    found = gradient_product_work(fast, BOW, TRAFFIC)
    assert (found.inputs, found.partials, found.amp_flops, found.vector_flops) == (inputs, "float32", 2 * macs, 0)
    assert found.read_bytes == 5 * (16 * size + 2)
