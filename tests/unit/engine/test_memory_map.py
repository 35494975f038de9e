"""What lies on the tiles, and when: hand-worked on the tiny chip, and rules that hold for every program."""

import numpy as np
from handmade import cases, even_cases, lower_by_hand, problem_of
from hypothesis import given, settings
from hypothesis import strategies as st

from ipusim.chip.load import load_chip
from ipusim.engine.memory import CATEGORIES, map_memory, shared_memory
from ipusim.ir.program import Home, Program, Repeat, Variable
from ipusim.ir.regions import whole_boxes
from ipusim.pipeline.compiling import compile_workload
from ipusim.plan.dense_estimate import AMP_1X1, Split, Variant

TINY = load_chip("tiny")
BOW = load_chip("bow")
HALF = Variant(AMP_1X1, 2, 4, 2, 1)


def _held(memory, step, tile):
    return sum(int(item.bytes_on_tile[tile]) for item in memory.allocations if item.first <= step <= item.last)


def test_a_product_on_two_by_two_tiles():
    # Half precision, W of 8 x 16, X of 16 x 8: a quarter of W, of X and of the result: 64 + 64 + 32 B, always there.
    # Operands: 4 rows of 16 inputs and 4 columns of 16 weights, 128 B each, from the exchange to the product.
    # Exchange code: of each operand a tile sends a piece and its group has two, at most 3 endpoints of 2 words of 4 B,
    # and a word for the phase: 2 * (3 * 2 + 1) * 4 = 56 B.
    memory = map_memory(lower_by_hand(problem_of(8, 16, 8), TINY, HALF, Split(1, 2, 1, 2, 1, 1, 0)), TINY)
    assert memory.peak_bytes.tolist() == [64 + 64 + 32 + 128 + 128 + 56] * 4
    found = {category: n_bytes for category, n_bytes in memory.by_category(0).items() if n_bytes}
    assert found == {"tensors": 160, "operands": 256, "exchange_code": 56}
    assert (memory.max_tile_bytes, memory.worst_tile, memory.total_bytes) == (472, 0, 4 * 472)
    assert memory.fits


def test_partial_sums_live_until_they_are_added_up():
    # Partial sums: 4 x 8 of 2 B on each tile; 16 more elements arrive on each; both are gone after the reduction.
    program = lower_by_hand(problem_of(8, 16, 8), TINY, HALF, Split(1, 2, 2, 1, 1, 1, 0))
    memory = map_memory(program, TINY)
    by_name = {(item.name, item.category): item for item in memory.allocations}
    formed, arrived = by_name["y.partials", "partials"], by_name["y.partials", "operands"]
    assert (formed.first, formed.last, formed.bytes_on_tile.tolist()) == (1, 2, [64] * 4)
    assert (arrived.first, arrived.last, arrived.bytes_on_tile.tolist()) == (1, 2, [32] * 4)
    weights = by_name["w", "operands"]
    assert (weights.first, weights.last, weights.bytes_on_tile.tolist()) == (0, 1, [128] * 4)


def test_what_outlives_an_iteration_is_there_through_the_whole_loop():
    # Sums over serial slices in single precision, cast to the half precision of the result after the loop.
    program = lower_by_hand(problem_of(8, 16, 8, "float16", "float32"), TINY, HALF, Split(1, 2, 1, 2, 2, 1, 0))
    names = [step.name for step, _ in program.supersteps()]
    assert names == ["y/operands", "y/multiply", "y/accumulate", "y/cast"]
    by_name = {item.name: item for item in map_memory(program, TINY).allocations if item.category == "partials"}
    assert (by_name["y.total"].first, by_name["y.total"].last) == (0, 3)
    assert (by_name["y.partials"].first, by_name["y.partials"].last) == (1, 2)


def test_an_operand_delivered_before_the_loop_stays_until_its_end():
    program = lower_by_hand(problem_of(16, 8, 8), TINY, HALF, Split(1, 2, 1, 2, 1, 2, 1))
    delivered = {item.name: item for item in map_memory(program, TINY).allocations if item.category == "operands"}
    assert [step.name for step, _ in program.supersteps()][-1] == "y/update"
    assert (delivered["x"].first, delivered["x"].last) == (0, 3)
    assert (delivered["w"].first, delivered["w"].last) == (1, 2)


def test_an_intermediate_read_in_slices_stays_until_the_last_slice():
    workload = {
        "name": "chain",
        "dtype": "float16",
        "tensors": {"a": {"shape": [64, 256]}, "b": {"shape": [256, 64]}, "c": {"shape": [4096, 64]}},
        "ops": [
            {"op": "matmul", "name": "first", "inputs": ["a", "b"], "output": "middle", "partials": "float16"},
            {"op": "matmul", "name": "second", "inputs": ["c", "middle"], "output": "y", "partials": "float16"},
        ],
        "outputs": ["y"],
        "compile": {"available_memory_proportion": 0.05},
    }
    compiled = compile_workload(workload, TINY.replace(tile_sram_bytes="256 KiB"))
    steps = [step for step, _ in compiled.program.supersteps()]
    loop = next(step for step in compiled.program.steps if isinstance(step, Repeat) and step.body[0].op == "second")
    end = steps.index(loop.body[-1])
    middle = [item for item in compiled.memory.allocations if item.name.startswith("middle") and item.last == end]
    assert any(item.category == "tensors" for item in middle)


def test_too_small_a_tile_does_not_fit():
    program = lower_by_hand(problem_of(8, 16, 8), TINY, HALF, Split(1, 2, 1, 2, 1, 1, 0))
    small = TINY.replace(tile_sram_bytes=471, sram_element_bytes=1, interleaved_sram_bytes=0)
    assert not map_memory(program, small).fits
    assert map_memory(program, small.replace(tile_sram_bytes=472)).fits


@given(cases())
@settings(max_examples=60, deadline=None)
def test_the_peak_is_the_fullest_moment_of_each_tile(case):
    program = case.program
    memory = map_memory(program, case.chip)
    steps = len([step for step, _ in program.supersteps()])
    held = np.array([[_held(memory, step, tile) for tile in range(program.n_tiles)] for step in range(steps)])
    assert memory.peak_bytes.tolist() == held.max(axis=0).tolist()
    assert memory.total_bytes == held.max(axis=0).sum()
    assert memory.max_tile_bytes == held.max()
    assert memory.peak_bytes[memory.worst_tile] == memory.max_tile_bytes
    for tile in (0, memory.worst_tile, program.n_tiles - 1):
        assert sum(memory.by_category(tile).values()) == memory.peak_bytes[tile]
        assert set(memory.by_category(tile)) == set(CATEGORIES)
        contents = [n_bytes for _, n_bytes in memory.contents(tile)]
        assert contents == sorted(contents, reverse=True)
    assert memory.fits == (held.max() <= case.chip.tile_sram_bytes)


@given(even_cases())
@settings(max_examples=60, deadline=None)
def test_tensors_without_padding_take_their_own_bytes_over_all_tiles(case):
    program = case.program
    tensors = [item for item in map_memory(program, case.chip).allocations if item.category == "tensors"]
    assert sorted(item.name for item in tensors) == ["w", "x", "y"]
    for item in tensors:
        variable = program.variables[item.name]
        assert item.bytes_on_tile.sum() == int(np.prod(variable.shape)) * variable.element_bytes


def test_a_large_product_fits_a_bow_beside_its_operands():
    compiled = compile_workload("dense/matmul-4096-float16", BOW)
    # p_n 14, p_k 13: all the columns of X that a tile needs, of 293 x 320 elements, lie beside its share of everything.
    assert 3 * 4096 * 4096 * 2 / BOW.n_tiles + 293 * 320 * 2 < compiled.memory.max_tile_bytes
    assert compiled.memory.fits


@given(st.lists(st.integers(0, 5), max_size=30), st.randoms())
def test_variables_over_each_other_are_in_the_memory_of_the_first(distances, random):
    home = Home(np.zeros(1, dtype=np.int32), whole_boxes(np.array([[0, 1, 0, 1, 0, 4]])))
    over = [f"v{index - distance}" if 0 < distance <= index else "" for index, distance in enumerate(distances)]
    order = list(range(len(over)))
    random.shuffle(order)
    variables = {
        f"v{index}": Variable(f"v{index}", (1, 1, 4), "float16", "tensor", f"v{index}", 2, home, over=over[index])
        for index in order
    }
    expected: dict[str, list[str]] = {}
    for name in variables:
        root = name
        while variables[root].over:
            root = variables[root].over
        expected.setdefault(root, []).append(name)
    groups = shared_memory(Program("views", 4, variables, (), {}, {}))
    assert [[each.name for each in members] for members in groups] == list(expected.values())
