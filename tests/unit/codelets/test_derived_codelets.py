"""Vertices without a published formula of their own: derived, assumed, or measured elsewhere; all by hand."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from ipusim.chip.load import load_chip
from ipusim.codelets import (
    fused_map,
    gelu_1d,
    heap_top_k,
    pool,
    rearrange,
    reduce_continuous,
    reduce_rows,
    reduce_strided,
    stencil,
)
from ipusim.codelets.registry import codelet
from ipusim.codelets.work import Traffic
from ipusim.cost.energy import Work
from ipusim.ir.program import VertexSet

CHIP = SimpleNamespace(worker_contexts=6, copy_bytes_per_cycle=4, data_path_bytes=8)
BOW = load_chip("bow")


def work(name: str, fields: dict[str, list[int]], settings: dict[str, Any], traffic: Traffic | None = None) -> Work:
    arrays = {key: np.array(values, np.int64) for key, values in fields.items()}
    tiles = np.zeros(len(next(iter(arrays.values()))), np.int32)
    vertices = VertexSet(name, name, tiles, arrays, (), settings)
    return codelet(name).work(vertices, BOW, traffic or Traffic(0, 0, 0))


def test_gelu_is_the_measured_kernel() -> None:
    # 330 cycles, 60 of them the chip's; 462 for each 16 elements of every worker; 120 for a pair beside the groups
    assert gelu_1d.vertex_cycles(0, False, 6) == 330 - 60
    assert gelu_1d.vertex_cycles(6 * 16 * 3, False, 6) == 270 + 3 * 462
    assert gelu_1d.vertex_cycles(6 * 16 * 3 - 16, False, 6) == 270 + 3 * 462
    assert gelu_1d.vertex_cycles(288 + 2, False, 6) == 270 + 3 * 462 + 12 + 120
    assert gelu_1d.vertex_cycles(288 + 3, False, 6) == 270 + 3 * 462 + 12 + 240
    assert gelu_1d.vertex_cycles(6 * 8 * 3 + 1, True, 6) == 270 + 3 * 462 + 12 + 120
    cycles = codelet("gelu_1d").cycles
    assert cycles({"elements": 290}, {"dtype": "float16"}, CHIP) == 270 + 3 * 462 + 132
    assert cycles({"elements": 290}, {"dtype": "float32"}, CHIP) == 270 + 6 * 462 + 132


def test_the_published_planner_takes_gelu_for_quicker() -> None:
    estimate = codelet("gelu_1d").estimate
    assert estimate is not None
    assert estimate({"elements": 2208}, {"dtype": "float16"}, CHIP) == 2961
    for dtype in ("float16", "float32"):
        published = codelet("nonlinearity_1d").cycles({"elements": 2208}, {"dtype": dtype, "op": "gelu"}, CHIP)
        assert estimate({"elements": 2208}, {"dtype": dtype}, CHIP) == published
        assert published < codelet("gelu_1d").cycles({"elements": 2208}, {"dtype": dtype}, CHIP)


def test_heaps_by_hand() -> None:
    # 1024 / 4 = 2^8: 8 * 4 * 0.7 replaced; 30 + 3 * 1024 + (2 * 4 + 22) elements that sink 3 levels of 8 slots
    assert heap_top_k.replacements(1024, 4) == 22
    assert heap_top_k.replacements(3, 4) == 0
    assert heap_top_k.worker_cycles(1024, 4) == 30 + 3 * 1024 + 30 * 24
    # 12 rows: two for each worker
    assert heap_top_k.vertex_cycles(12, 1024, 4, 6) == 9 + 6 * 2 * 3822
    # one row: six shares of 171, then 24 candidates
    assert heap_top_k.worker_cycles(171, 4) == 30 + 513 + (8 + 16) * 24
    assert heap_top_k.worker_cycles(24, 4) == 30 + 72 + (8 + 8) * 24
    assert heap_top_k.vertex_cycles(1, 1024, 4, 6) == 9 + 6 * (1119 + 486)
    # a share holds what is wanted: 10 of 12 elements, so two shares
    both = heap_top_k.worker_cycles(10, 10) + heap_top_k.worker_cycles(20, 10)
    assert heap_top_k.vertex_cycles(1, 12, 10, 6) == 9 + 6 * min(heap_top_k.worker_cycles(12, 10), both)
    # the largest alone: shares of 17 by the published vertex, then the six results
    one = 9 + 6 * (30 + 3 * 16) + 9 + 6 * (30 + 3 * 5)
    assert heap_top_k.vertex_cycles(5, 100, 1, 6) == 5 * one
    assert codelet("heap_top_k").cycles({"rows": 5, "elements": 100}, {"kept": 1}, CHIP) == 5 * one


def test_a_window_is_a_strided_reduction() -> None:
    # 96 elements on 6 workers: 16 each; rows of 3 in 2 groups; whole accumulators of 8, or 4 of 32 bits
    half = reduce_strided.worker_cycles(16, 3, 8, 2, False, False, False, False, False, False)
    assert pool.vertex_cycles(96, 2, 3, False, False, 6) == 6 * half
    mean = reduce_strided.worker_cycles(16, 3, 4, 2, True, True, False, True, False, False)
    fields = {"outputs": 96, "kernel_h": 2, "kernel_w": 3}
    assert codelet("pool").cycles(fields, {"dtype": "float32", "op": "avg"}, CHIP) == 6 * mean
    assert codelet("pool").cycles(fields, {"dtype": "float16", "op": "max"}, CHIP) == 6 * half


@pytest.mark.parametrize(
    ("n_bytes", "extent", "element_bytes", "cycles"),
    [
        (1000, 8, 2, 625),  # an element per cycle, and a quarter more
        (1000, 6, 2, 834),  # two thirds more: no whole vectors of four
        (1000, 6, 4, 313),  # whole vectors of two
        (1000, 7, 4, 417),
        (1000, 7, 16, 313),  # four bytes per cycle is the rate of copies
    ],
)
def test_rearrangement_by_hand(n_bytes: int, extent: int, element_bytes: int, cycles: int) -> None:
    assert rearrange.copy_cycles(n_bytes, extent, element_bytes, 4, 8) == cycles
    fields = {"n_bytes": n_bytes, "extent": extent, "element_bytes": element_bytes}
    assert codelet("rearrange").cycles(fields, {}, CHIP) == cycles


def test_contiguous_rows_are_shared_or_cut() -> None:
    def slots(outputs: int, partials: int, float_partials: bool = False) -> int:
        return reduce_continuous.worker_cycles(outputs, partials, float_partials, False, False)

    assert reduce_rows.contiguous_cycles(13, 64, False, 6) == 6 * slots(3, 64)
    assert reduce_rows.contiguous_cycles(6, 64, True, 6) == 6 * slots(1, 64, True)
    # two long rows: three workers each, and three results; two short ones stay whole
    assert reduce_rows.contiguous_cycles(2, 6000, False, 6) == 6 * (slots(1, 2000) + slots(1, 3, True))
    assert reduce_rows.contiguous_cycles(2, 8, False, 6) == 6 * slots(1, 8)
    cycles = codelet("reduce_rows").cycles
    settings = {"partials": "float16", "output": "float16", "op": "add"}
    assert cycles({"outer": 13, "reduced": 64, "inner": 1}, settings, CHIP) == 6 * slots(3, 64)


def test_sums_of_rows_are_the_measured_kernel() -> None:
    # 282 cycles, 60 of them the chip's; for 8 elements 11 slots, and two for each further row
    assert reduce_rows.block_sum_cycles(1, 2, 48, False, 6) == 222 + 6 * 13
    assert reduce_rows.block_sum_cycles(1, 28, 49, False, 6) == 222 + 6 * 2 * (11 + 54)
    assert reduce_rows.block_sum_cycles(2, 1, 24, True, 6) == 222 + 6 * 2 * 11
    assert reduce_rows.vertex_cycles(1, 2, 480, False, False, True, 6) == 222 + 6 * 10 * 13
    assert reduce_rows.vertex_cycles(48, 4, 8, False, False, True, 6) == 222 + 6 * 8 * 17


def test_other_reductions_of_rows_share_the_columns_or_the_matrices() -> None:
    def slots(columns: int) -> int:
        return reduce_strided.worker_cycles(columns, 5, 48, 1, False, False, False, False, False, False)

    assert reduce_rows.strided_cycles(1, 5, 48, False, False, False, 6) == 6 * slots(8)
    assert reduce_rows.strided_cycles(12, 5, 48, False, False, False, 6) == 6 * min(12 * slots(8), 2 * slots(48))
    assert reduce_rows.vertex_cycles(12, 5, 48, False, False, False, 6) == 6 * 2 * slots(48)


def test_functions_of_the_results_are_in_the_same_loop() -> None:
    assert reduce_rows.finish_cycles(13, ("rsqrt", "inverse"), 6) == 6 * 3 * 7
    fields = {"outer": 1, "reduced": 2, "inner": 480}
    settings = {
        "partials": "float16",
        "output": "float16",
        "op": "square_add",
        "finish": (("scale_shift", (1.0, 0.0)),),
    }
    assert codelet("reduce_rows").cycles(fields, settings, CHIP) == 222 + 6 * 130 + 6 * 80


def test_stencils_by_hand() -> None:
    widths = [(8, 2), (6, 2), (3, 2), (8, 4), (3, 4)]
    assert [stencil.vector_elements(*each, True) for each in widths] == [4, 2, 1, 2, 1]
    assert stencil.vector_elements(8, 2, False) == 1
    # five loads, four additions, two products and one store, two of the loop
    assert stencil.slots_of(5, 2, 2, True) == 5 + 4 + 2 + 1 + 2
    assert stencil.slots_of(5, 2, 1, False) == 14
    assert stencil.slots_of(5, 2, 4, False) == 14 + 5
    # 7 rows of 10: two rows on a worker, or two columns of all rows
    assert stencil.vertex_cycles(7, 10, 3, 14, 6) == 11 + 6 * (29 + 14 * 3 * 14)
    assert stencil.vertex_cycles(6, 10, 1, 14, 6) == 11 + 6 * (29 + 10 * 14)
    settings = {"vector": 4, "dtype": "float16", "taps": 5, "factors": 2, "channels": 10}
    fields = {"lines": 7, "columns": 10}
    assert codelet("stencil").cycles(fields, settings, CHIP) == 11 + 6 * (29 + 14 * 3 * 19)
    wide = settings | {"vector": 2, "dtype": "float32"}
    assert codelet("stencil").cycles(fields, wide, CHIP) == 11 + 6 * (29 + 14 * 5 * 14)


def test_fused_loops_by_hand() -> None:
    # add and multiply: one slot each between their loads and store; two vectors of loads a slot
    assert (fused_map.operator_slots("add", False), fused_map.operator_slots("multiply", True)) == (1, 1)
    assert fused_map.operator_slots("gelu", False) == 12
    assert fused_map.operator_slots("scale_shift", True) == 2
    assert fused_map.operator_slots("select", False) == 4 * 5 - 1 - 2
    assert fused_map.operator_slots("select", True) == 2 * 5 - 1 - 2
    assert fused_map.converted_slots("add") == 2 + 2 * 1 + 1
    # 100 elements: 17 on a worker, 5 vectors of 2 operators, 2 loads and a store
    assert fused_map.vertex_cycles(100, 0, 2, 2, 4, False, 6) == 11 + 6 * (26 + 5 * 4)
    assert fused_map.vertex_cycles(100, 0, 2, 3, 2, True, 6) == 11 + 6 * (29 + 9 * 5)
    # 4 vectors at once: 17 elements are two passes
    assert fused_map.vertex_cycles(100, 0, 2, 2, 4, False, 6, 4) == 11 + 6 * (26 + 2 * 16)
    # 3 rows of 40: whole rows take 7 + 10 vectors, shares of 7 columns 3 * (7 + 2 vectors)
    assert fused_map.vertex_cycles(120, 3, 2, 2, 4, False, 6) == 11 + 6 * (26 + min(7 + 40, 3 * (7 + 8)))
    assert fused_map.vertex_cycles(120, 12, 2, 2, 4, False, 6) == 11 + 6 * (26 + 2 * (7 + 12))
    settings: dict[str, Any] = {"dtype": "float16", "functions": ("add", "gelu"), "loads": 2}
    fields = {"elements": 96, "rows": 0}
    cycles = codelet("fused_map").cycles
    assert cycles(fields, settings, CHIP) == 11 + 6 * (26 + 4 * (13 + 2))
    converted = settings | {"functions": ("add", "multiply"), "converted": (True, False)}
    assert cycles(fields, converted, CHIP) == 11 + 6 * (26 + 4 * (5 + 1 + 2))


def test_work_of_vertices_by_hand() -> None:
    traffic = Traffic(read_bytes=100, written_bytes=40, written_elements=20)
    assert work("binary_1d", {"elements": [20]}, {"dtype": "float32"}, traffic) == Work(
        "float32", "float32", vector_flops=20, read_bytes=100, written_bytes=40
    )
    assert work("rearrange", {"n_bytes": [8, 16], "extent": [1, 1], "element_bytes": [2, 2]}, {}) == Work(
        read_bytes=24, written_bytes=24
    )
    assert work("heap_top_k", {"rows": [2, 3], "elements": [10, 20]}, {"dtype": "float16"}, traffic) == Work(
        "float16", "float16", vector_flops=80, read_bytes=100, written_bytes=40
    )
    # two vertices of 4 and 2 outputs of 3 and 5 partial sums: 22 are read, 16 additions
    assert work("grouped_reduce", {"outputs": [4, 2], "partials": [3, 5]}, {"partials": "float32"}) == Work(
        "float32", "float32", vector_flops=16, read_bytes=88, written_bytes=24
    )
    settings = {"dtype": "float16", "taps": 5, "factors": 2, "channels": 3}
    assert work("stencil", {"lines": [2, 1], "columns": [4, 2]}, settings) == Work(
        "float16", "float16", vector_flops=6 * 30, read_bytes=5 * 30 * 2, written_bytes=60
    )


def test_work_of_the_amp_counts_padding_and_its_weights() -> None:
    settings = {"units": 16, "in_channels": 16, "passes": 1, "inputs": "float16", "partials": "float16"}
    fields = {"rows": [10], "conv_groups": [1], "in_groups": [2], "out_groups": [3]}
    done = work("amp_1x1", fields, settings)
    macs = 16 * 16 * 10 * 6
    assert (done.amp_flops, done.read_bytes, done.written_bytes) == (2 * macs, 6 * 512, 0)
    assert done.amp_cycles == 10 * 6 * 4  # 64 products per cycle
    # a kernel of 3 x 3, three rows at once where the AMP takes two: 2 passes of 3
    kernel = fields | {"lines": [2], "width": [5], "kernel_first": [3], "kernel_rest": [3]}
    del kernel["rows"]
    tall = work("amp_nx1", kernel, settings | {"in_channels": 8, "filter_height": 2})
    assert tall.amp_flops == 2 * macs * 6


def test_work_of_grouped_reductions_is_one_worker_each() -> None:
    cycles = codelet("grouped_reduce").cycles
    assert codelet("grouped_reduce").one_worker
    # one loop of 4 outputs: 16 + 13 + 5; of 2 floats: 16 + 10 + 5
    assert cycles({"outputs": 4, "partials": 5}, {"partials": "float16"}, CHIP) == 6 * 34
    assert cycles({"outputs": 2, "partials": 5}, {"partials": "float32"}, CHIP) == 6 * 31
    assert cycles({"outputs": 0, "partials": 5}, {"partials": "float32"}, CHIP) == 0
