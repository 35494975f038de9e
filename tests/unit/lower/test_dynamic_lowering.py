import itertools

import numpy as np
import pytest

from ipusim.codelets.registry import codelet
from ipusim.cost.dynamic_overheads import DynamicOverheads, dynamic_overheads
from ipusim.engine.charges import Charges
from ipusim.engine.timing import time_program
from ipusim.ir.program import Repeat
from ipusim.lower.dynamic_grid import Side, column_pieces
from ipusim.pipeline.compiling import compile_workload
from ipusim.plan.dynamic_executed import executed_pass
from ipusim.plan.dynamic_partition import partition_pattern

GAPS_ONLY = Charges(0, 0, 0, 0, 0, True, 100)
WORK_ONLY = DynamicOverheads(0, 0, 100, 0, 0, 0, 0)
LABELS = ("transpose", "zero", "dense", "buckets", "gap", "partials", "reduce", "cast")


def workload(m, k, n, block_size, density, dtype="float16", partials="float32", transposed=False, **sparsity):
    shape = [k, m] if transposed else [m, k]
    return {
        "name": "test",
        "chip": "bow",
        "dtype": dtype,
        "tensors": {
            "w": {
                "shape": shape,
                "sparsity": {"density": density, "block_size": block_size, "mode": "dynamic", **sparsity},
            },
            "x": {"shape": [k, n]},
        },
        "ops": [{"op": "matmul", "inputs": ["w", "x"], "output": "y", "partials": partials, "transpose_a": transposed}],
        "outputs": ["y"],
    }


SPILLED = workload(512, 512, 64, 8, "1/16", pattern="banded")


def agreeing(spec):
    """Time a program without the overheads of phases, and compare every term with the executed cost."""
    compiled = compile_workload(spec)
    plan = compiled.plans["y"]
    trace = time_program(compiled.program, compiled.chip, GAPS_ONLY)
    executed = executed_pass(plan.placement, compiled.chip, WORK_ONLY, plan.transposed)
    terms = trace.terms()
    steps = {step.name.removeprefix("y/"): step for step in trace.steps}
    assert terms.get("transpose", 0) == executed.transpose
    assert terms["zero"] == executed.zero
    assert terms.get("dense", 0) == executed.dense_exchange
    assert terms.get("buckets", 0) == executed.bucket_exchange
    assert terms.get("gap", 0) == executed.bucket_gap
    assert steps["multiply"].compute_cycles == executed.multiply
    assert terms.get("partials", 0) == executed.reduce_exchange
    assert terms.get("reduce", 0) + terms.get("cast", 0) == executed.reduce
    travels = sum(step.cycles * step.count for step in trace.steps if "travel" in step.name)
    products = sum(step.cycles * step.count for step in trace.steps if "propagate" in step.name)
    assert travels == terms.get("propagate", 0)
    control = terms.get("control", 0)
    first = terms.get("propagate", 0) // (plan.placement.propagation_steps + 1)
    assert first + products == executed.propagation
    assert trace.cycles == executed.total + control
    return compiled, trace, executed


@pytest.mark.parametrize(
    ("m", "k", "n", "block_size", "density", "dtype", "partials"),
    [
        (512, 512, 64, 1, "1/8", "float16", "float32"),
        (512, 256, 64, 1, "1/3", "float32", "float32"),
        (256, 512, 96, 4, "1/4", "float16", "float16"),
        (512, 512, 64, 8, "1/2", "float32", "float32"),
        (1024, 512, 40, 16, "1/8", "float16", "float32"),
        (96, 96, 5, 16, "1/2", "float16", "float32"),
        (64, 16, 256, 1, "1/2", "float16", "float32"),
        (64, 16, 256, 4, "1/2", "float16", "float16"),
        (1000, 300, 10, 1, "1/2", "float16", "float32"),
    ],
)
@pytest.mark.parametrize("transposed", [False, True])
def test_program_and_executed_cost_agree_term_by_term(m, k, n, block_size, density, dtype, partials, transposed):
    compiled, _, _ = agreeing(workload(m, k, n, block_size, density, dtype, partials, transposed))
    assert compiled.plans["y"].transposed == transposed
    assert compiled.fits


@pytest.mark.parametrize("transposed", [False, True])
@pytest.mark.parametrize(
    ("sizes", "density", "pattern"),
    [
        ((512, 512, 64, 8), "1/16", "banded"),
        ((128, 128, 16, 1), "1/16", "banded"),
        ((256, 256, 64, 4), "1/4", {"random": {"imbalance": {"rows": 4}}}),
    ],
)
def test_spilled_buckets_agree_too(sizes, density, pattern, transposed):
    spec = workload(*sizes, density, "float16", transposed=transposed, pattern=pattern)
    compiled, trace, executed = agreeing(spec)
    plan = compiled.plans["y"]
    assert plan.placement.propagation_steps > 0
    assert executed.propagation > 0
    loops = [step for step in compiled.program.steps if isinstance(step, Repeat)]
    assert sum(loop.count for loop in loops) == plan.placement.propagation_steps
    assert sum(step.count for step in trace.steps if step.name.endswith("multiply")) == 1 + sum(
        loop.count for loop in loops
    )


def test_phases_are_those_of_the_overheads():
    """With overheads the program differs by what real phases cost: distances of rows, and words of control."""
    for spec in (workload(1024, 1024, 64, 16, "1/8"), SPILLED):
        compiled = compile_workload(spec)
        placement = compiled.plans["y"].placement
        trace = time_program(compiled.program, compiled.chip)
        executed = executed_pass(placement, compiled.chip, dynamic_overheads(compiled.chip))
        assert trace.cycles == pytest.approx(executed.total, rel=0.005)
        exchanges = sum(step.count for step in trace.steps if step.sync_cycles)
        expected = 2 + 3 + (2 + 5 * placement.propagation_steps if placement.propagation_steps else 0)
        assert exchanges == expected
        sets = sum(step.count for step in trace.steps if step.terms.get("compute set"))
        assert sets == 3 + 6 + 9 * placement.propagation_steps


def test_vertices_carry_what_their_formula_adds_up():
    compiled = compile_workload(workload(512, 512, 64, 16, "1/2", partials="float16"))
    plan = compiled.plans["y"]
    multiply = next(
        vertices
        for step, _ in compiled.program.supersteps()
        for vertices in step.compute
        if vertices.codelet == "dynamic_block"
    )
    assert set(multiply.fields) == set(codelet("dynamic_block").fields)
    assert multiply.fields["blocks"].sum() == plan.placement.blocks.n_blocks * plan.plan.p_n
    assert multiply.fields["own_sub_groups"].sum() == len(plan.placement.piece_bucket) * plan.plan.p_n
    assert len(np.unique(multiply.tile)) == plan.tiles_used


def test_memory_counts_buckets_metadata_operand_and_partials():
    compiled = compile_workload(workload(512, 512, 64, 1, "1/8"))
    plan = compiled.plans["y"].plan
    variables, memory = compiled.program.variables, compiled.memory
    by_name = {}
    for item in memory.allocations:
        by_name.setdefault((item.name, item.category), []).append(item)
    tile = memory.worst_tile
    (values,) = by_name["w.buckets", "tensors"]
    (words,) = by_name["w.buckets.metadata", "metadata"]
    assert values.bytes_on_tile[tile] == plan.bucket_groups * 2
    assert words.bytes_on_tile[tile] == plan.bucket_words * 2
    (others,) = by_name["w.buckets", "operands"]
    assert others.bytes_on_tile[tile] == (plan.p_n - 1) * plan.bucket_groups * 2
    (dense,) = by_name["x", "operands"]
    assert dense.bytes_on_tile[tile] == plan.y_groups * plan.z * 2
    (partials,) = by_name["y.partials", "partials"]
    assert partials.bytes_on_tile[tile] == plan.x_groups * plan.z * 4
    assert variables["w.buckets"].tensor == "w"
    assert variables["w.buckets.metadata"].kind == "metadata"


def test_a_bucket_on_the_way_is_there_for_a_loop_only():
    compiled = compile_workload(SPILLED)
    travelling = [item for item in compiled.memory.allocations if "travelling" in item.name]
    n_steps = len(list(compiled.program.supersteps()))
    assert travelling
    for step in range(n_steps):
        assert sum(item.first <= step <= item.last for item in travelling) <= 2


def test_ops_on_one_weight_share_its_buckets():
    spec = workload(256, 256, 64, 4, "1/8")
    spec["tensors"]["dy"] = {"shape": [256, 64]}
    spec["ops"].append({"op": "matmul", "inputs": ["w", "dy"], "output": "dx", "transpose_a": True})
    spec["outputs"].append("dx")
    compiled = compile_workload(spec)
    forward, backward = compiled.plans["y"], compiled.plans["dx"]
    assert (forward.transposed, backward.transposed) == (False, True)
    assert forward.placement is backward.placement
    assert [name for name, each in compiled.program.variables.items() if each.tensor == "w"] == ["w.buckets"]
    executed = executed_pass(backward.placement, compiled.chip, WORK_ONLY, transposed=True)
    trace = time_program(compiled.program, compiled.chip, GAPS_ONLY)
    assert trace.op_cycles("dx") == executed.total + trace.terms("dx")["control"]


@pytest.mark.parametrize(
    ("uses", "passes"),
    [
        # the first op without a flag is the forward pass
        ([("left", False), ("left", True)], [False, True]),
        ([("left", True), ("left", False)], [True, False]),
        ([("right", False), ("right", True)], [False, True]),
        ([("right", False), ("left", False)], [False, True]),
        ([("left", False), ("right", False), ("right", True)], [False, True, False]),
        # the flag asks for the transposed pass
        ([("left", True)], [True]),
        ([("right", True)], [True]),
        ([("left", True), ("right", True)], [True, False]),
    ],
)
def test_which_pass_an_op_is(uses, passes):
    spec = workload(64, 64, 32, 4, "1/4")
    spec["tensors"] |= {"a": {"shape": [64, 32]}, "b": {"shape": [32, 64]}}
    del spec["tensors"]["x"]
    spec["ops"] = [
        {"op": "matmul", "inputs": ["w", "a"], "output": f"y{i}", "transpose_a": flag}
        if side == "left"
        else {"op": "matmul", "inputs": ["b", "w"], "output": f"y{i}", "transpose_b": flag}
        for i, (side, flag) in enumerate(uses)
    ]
    spec["outputs"] = [op["output"] for op in spec["ops"]]
    used = {name for op in spec["ops"] for name in op["inputs"]}
    spec["tensors"] = {name: entry for name, entry in spec["tensors"].items() if name in used}
    compiled = compile_workload(spec)
    assert [compiled.plans[name].transposed for name in spec["outputs"]] == passes
    assert len({id(plan.placement) for plan in compiled.plans.values()}) == 1
    index = compiled.plans["y0"].value_index()
    kept = np.sort(index[index >= 0])
    assert len(np.unique(kept)) == compiled.plans["y0"].placement.blocks.n_values == 64 * 64 // 4


def test_products_with_other_batches_have_buckets_of_their_own():
    spec = workload(64, 64, 32, 4, "1/4")
    spec["tensors"]["more"] = {"shape": [64, 4096]}
    spec["ops"].append({"op": "matmul", "inputs": ["w", "more"], "output": "z"})
    spec["outputs"].append("z")
    compiled = compile_workload(spec)
    assert compiled.plans["y"].placement is not compiled.plans["z"].placement
    packed = [name for name, each in compiled.program.variables.items() if each.tensor == "w"]
    assert packed == ["w.buckets", "w.buckets#2"]
    assert {variable.name for variable in compiled.program.initial} == {"x", "more", *packed}


def test_control_is_on_a_tile_without_work_where_there_is_one():
    for n, chip in ((64, "bow"), (64, "tiny")):
        compiled = compile_workload(workload(64, 64, n, 1, "1/4"), chip)
        plan = compiled.plans["y"]
        tiles = {
            int(tile)
            for step, _ in compiled.program.supersteps()
            for vertices in step.compute
            if vertices.codelet == "dynamic_control"
            for tile in vertices.tile
        }
        assert tiles == {min(plan.tiles_used, compiled.chip.n_tiles - 1)}


def test_columns_are_cut_at_the_edges_of_matrices():
    begin, end, _ = column_pieces(10, 1, 4, 3)
    assert list(zip(begin.tolist(), end.tolist(), strict=True)) == [(0, 4), (4, 8), (8, 12)]
    begin, end, _ = column_pieces(10, 2, 4, 3)
    assert list(zip(begin.tolist(), end.tolist(), strict=True)) == [(0, 4), (4, 5), (5, 8), (8, 10)]


@pytest.mark.parametrize("flipped", [False, True])
def test_boxes_cover_a_matrix_once(flipped):
    groups = 1 if flipped else 3
    side = Side(8, 12, groups, flipped)
    covered = np.zeros(side.shape, dtype=int)
    begin, end, _ = column_pieces(12, groups, 5, 3)
    for row, (first, last) in itertools.product(range(0, 8, 4), zip(begin, end, strict=True)):
        box = side.boxes(np.array([row]), np.array([row + 4]), np.array([first]), np.array([last]))[0]
        covered[box[0] : box[1], box[2] : box[3], box[4] : box[5]] += 1
    assert (covered == 1).all()


def test_a_pattern_in_buckets_is_that_of_the_tensor():
    compiled = compile_workload(workload(96, 64, 32, 8, "1/4", "float32", transposed=True))
    plan = compiled.plans["y"]
    again = partition_pattern(plan.plan, plan.placement.blocks)
    assert np.array_equal(again.order, plan.placement.order)
    variable = compiled.program.variables["w.buckets"]
    positions = variable.positions()
    assert positions.size == np.prod(variable.shape)
    rows, cols = np.divmod(positions[positions >= 0], 96)
    blocks = plan.placement.blocks
    assert blocks.shape == (64, 96)
    assert set(zip((rows // 8).tolist(), (cols // 8).tolist(), strict=True)) == set(
        zip(blocks.rows.tolist(), blocks.cols.tolist(), strict=True)
    )
