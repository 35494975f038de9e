"""Supersteps of static sparse matmuls: which there are, what they cost, what they hold."""

import numpy as np
import pytest
from static_by_hand import KINDS, Layout, halves, pattern, static_case

from ipusim.chip.load import load_chip
from ipusim.cost.arithmetic import ceil_div
from ipusim.cost.dynamic_overheads import dynamic_overheads
from ipusim.engine.charges import charges_of
from ipusim.engine.execution import execute_program
from ipusim.engine.memory import map_memory
from ipusim.engine.timing import time_program
from ipusim.frontends.build import build_graph
from ipusim.frontends.workload import load_workload
from ipusim.lower.lowering import lower_graph
from ipusim.lower.printer import print_program
from ipusim.plan.graph import plan_graph
from ipusim.plan.problem import PlanOptions
from ipusim.plan.static_code import exchange_code_bytes, exchanged_pieces
from ipusim.plan.static_executed import executed_cycles
from ipusim.plan.static_memory import reserved_bytes, static_memory
from ipusim.plan.static_partition import gathered_cols

BOW = load_chip("bow")
OVERHEADS = dynamic_overheads(BOW)
SMALL = BOW.replace(n_tiles=48)

CELLS = [
    # rows and columns in blocks, block size, columns, formats, intervals, bands
    (256, 256, 1, 64, "float16", "float16", 0, 0),
    (256, 256, 1, 64, "float32", "float32", 0, 0),
    (128, 128, 1, 64, "float16", "float32", 4, 3),
    (64, 64, 4, 64, "float16", "float16", 0, 0),
    (64, 96, 8, 20, "float16", "float32", 0, 0),
    (64, 64, 16, 256, "float16", "float16", 0, 0),
    (64, 64, 16, 256, "float32", "float32", 0, 0),
    (40, 40, 16, 60, "float16", "float16", 1, 1),
    (40, 40, 16, 60, "float16", "float16", 5, 9),
]


def cell(rows, cols, block_size, n, dtype, partials, n_splits, n_bands, chip=BOW):
    blocks = pattern("random", rows, cols, block_size, seed=n, count=rows * cols // 10)
    return static_case(blocks, n, chip, dtype, partials, n_splits=n_splits, n_bands=n_bands)


def phases(case):
    """Return the supersteps with their times, by the second part of their name."""
    trace = time_program(case.program, case.chip)
    return {step.name.partition("/")[2]: step for step in trace.steps}, trace


@pytest.mark.parametrize("of_cell", CELLS)
def test_the_program_costs_what_the_mechanisms_say_term_by_term(of_cell):
    case = cell(*of_cell)
    plan = case.plan
    model = executed_cycles(plan.partition, BOW, OVERHEADS, plan.reduction)
    steps, _ = phases(case)
    rate, launch = BOW.exchange_bytes_per_cycle, BOW.compute_set_overhead_cycles

    def payload(name):
        if name not in steps:
            return 0
        return ceil_div(int(max(steps[name].bytes_received.max(), steps[name].bytes_sent.max())), rate)

    assert steps["multiply"].compute_cycles == model.multiply + launch
    assert payload("gather") == model.gather
    assert payload("non-zeros") == model.non_zeros
    assert payload("copy") == model.copy
    assert payload("partials") == model.reduce_exchange
    if model.reduce:
        assert steps["reduce"].compute_cycles == model.reduce + launch
        assert payload("reduce") == model.move
    exchanges = [step for step in steps.values() if step.exchange_cycles]
    assert len(exchanges) * OVERHEADS.exchange_phase_cycles == model.exchange_phases
    computing = [step for step in steps.values() if step.compute_cycles]
    assert len(computing) * launch == model.compute_sets


@pytest.mark.parametrize("of_cell", CELLS)
def test_the_whole_differs_by_distance_only(of_cell):
    case = cell(*of_cell)
    model = executed_cycles(case.plan.partition, BOW, OVERHEADS, case.plan.reduction)
    steps, trace = phases(case)
    charges = charges_of(BOW)
    rows = (OVERHEADS.exchange_phase_cycles - charges.sync_cycles - charges.exchange_cycles) // charges.row_cycles
    exchanges = sum(step.exchange_cycles > 0 for step in steps.values())
    assert -exchanges * rows * charges.row_cycles <= trace.cycles - model.total <= exchanges


def test_what_multiplies_gathers_only_the_rows_that_it_needs():
    case = cell(40, 60, 4, 64, "float16", "float16", 3, 2)
    plan, partition = case.plan, case.plan.partition
    received = phases(case)[0]["gather"].bytes_received
    expected = np.zeros(BOW.n_tiles, np.int64)
    for interval in range(partition.n_intervals):
        layout = plan.layout(interval)
        width = int(np.diff(partition.col_edges)[interval])
        indptr, needed = gathered_cols(partition, layout)
        for run, tile in enumerate(layout.tile + partition.tile_edges[interval]):
            here = partition.cols[layout.blocks_indptr[run] : layout.blocks_indptr[run + 1]]
            assert set(needed[indptr[run] : indptr[run + 1]]) == set(here)
            expected[tile] += len(set(here)) * 4 * width * 2
    assert received.tolist() == expected.tolist()


def test_partial_sums_that_are_sent_arrive():
    case = cell(64, 64, 16, 256, "float16", "float16", 0, 0)
    steps, _ = phases(case)
    assert {"copy", "partials", "reduce"} <= set(steps)
    for name in ("copy", "partials", "reduce"):
        assert steps[name].bytes_sent.sum() == steps[name].bytes_received.sum() > 0


def test_single_sources_are_copied_and_nothing_is_added_up():
    case = static_case(pattern("diagonal", 24, 24, 4), 16, SMALL, n_splits=1, n_bands=1)
    steps, _ = phases(case)
    assert list(steps) == ["gather", "multiply", "copy", "result"]
    assert steps["result"].cycles == 0
    assert steps["copy"].bytes_received.sum() == 24 * 4 * 16 * 2


def test_one_row_is_added_up_from_all_tiles():
    case = static_case(pattern("row", 6, 96, 4), 8, SMALL, n_splits=1, n_bands=1)
    steps, _ = phases(case)
    assert list(steps) == ["gather", "multiply", "partials", "reduce"]
    runs = case.plan.partition.layouts[0].n_runs
    assert case.plan.reduction.n_partials.tolist() == [runs]
    assert steps["partials"].bytes_received.sum() == runs * 4 * 8 * 2


def test_without_non_zeros_there_is_nothing_to_do():
    case = static_case(pattern("none", 6, 8, 4), 8, SMALL)
    steps, trace = phases(case)
    assert list(steps) == ["result"]
    assert trace.cycles == 0
    assert case.plan.tiles_used == 0
    values = case.values(halves(0))
    assert not execute_program(case.program, values)["y"].any()


@pytest.mark.parametrize("block_size", [1, 4, 16])
@pytest.mark.parametrize("kind", KINDS)
def test_homes_and_partial_sums_of_every_pattern(kind, block_size):
    case = static_case(pattern(kind, 12, 15, block_size, seed=4), 20, SMALL, n_splits=2)
    program, blocks = case.program, case.plan.problem.blocks
    result = program.variables["y"]
    assert result.home is not None
    assert int(result.home.regions.n_elements.sum()) == 12 * block_size * 20
    if blocks.n_blocks == 0:
        return
    packed = program.variables["w.packed"]
    assert sorted(packed.positions().tolist()) == sorted(np.flatnonzero(case.pattern).tolist())
    (multiply,) = (
        vertices for step, _ in program.supersteps() for vertices in step.compute if "inputs" in vertices.settings
    )
    stored, _, sums = multiply.operands
    per_interval = case.plan.partition.n_intervals
    assert int(stored.regions.n_elements.sum()) == per_interval * blocks.n_values
    written = np.zeros(program.variables[sums.variable].shape, np.int64)
    for box in sums.regions.box:
        written[box[0] : box[1], box[2] : box[3], box[4] : box[5]] += 1
    assert written.max() == 1


@pytest.mark.parametrize("of_cell", CELLS[3:7])
def test_memory_is_what_the_model_of_the_plan_counts(of_cell):
    case = cell(*of_cell)
    memory = map_memory(case.program, BOW)
    model = static_memory(case.plan.partition, case.plan.reduction, BOW)
    reserved = reserved_bytes(BOW)
    found = memory.by_category(memory.worst_tile)
    assert found["reserved"] == reserved == 109 * 1024
    assert found["metadata"] > 0
    code = exchange_code_bytes(case.plan.partition, case.plan.reduction, BOW)
    assert found["exchange_code"] >= code[memory.worst_tile] > 0
    counted = memory.max_tile_bytes - reserved - found["exchange_code"]
    assert counted == pytest.approx(model.live_bytes - model.exchange_code, rel=0.03)


def test_a_piece_is_three_instructions_at_either_end():
    # A row of four blocks on four tiles: each gathers a block row and sends its partial row to the one that adds up.
    chip = load_chip("tiny", exchange_control_cycles_per_fragment=3)
    case = static_case(pattern("row", 1, 4, 4), 8, chip, n_splits=1, n_bands=1)
    partition, reduction = case.plan.partition, case.plan.reduction
    assert [layout.n_cols.tolist() for layout in partition.layouts] == [[1, 1, 1, 1]]
    assert reduction.n_partials.tolist() == [4]
    pieces = exchanged_pieces(partition, reduction, chip)
    arriving = reduction.loads[0] > 0
    sent_rows = ceil_div(32, reduction.out_share)
    assert pieces.tolist() == (1 + sent_rows + 1 + 4 * arriving).tolist()
    assert exchange_code_bytes(partition, reduction, chip).tolist() == (12 * pieces).tolist()


def test_a_tiny_tile_reserves_a_fifth():
    tiny = load_chip("tiny")
    assert reserved_bytes(tiny) == 16 * 1024 // 5


def test_the_listing_tells_the_bytes_of_irregular_exchanges():
    case = static_case(pattern("random", 12, 12, 4, seed=1), 16, SMALL, n_splits=2)
    text = print_program(case.program)
    assert "exchange x (gather): " in text
    assert " bytes to each of " in text
    assert "w.metadata: uint16" in text


def document(ops, outputs, **tensors):
    return {"name": "graph", "dtype": "float16", "tensors": tensors, "ops": ops, "outputs": outputs}


def sparse(shape, block_size, density=0.25):
    return {"shape": shape, "sparsity": {"density": density, "block_size": block_size, "mode": "static"}}


def lowered(described, chip=BOW):
    graph = build_graph(load_workload(described))
    return graph, lower_graph(graph, plan_graph(graph, chip, PlanOptions()), chip)


def test_layers_follow_one_another():
    ops = [
        {"op": "matmul", "inputs": ["w1", "x"], "output": "h"},
        {"op": "add", "inputs": ["h", "b"], "output": "shifted"},
        {"op": "relu", "inputs": ["shifted"], "output": "a"},
        {"op": "matmul", "inputs": ["w2", "a"], "output": "y"},
        {"op": "matmul", "inputs": ["dense", "y"], "output": "z"},
    ]
    graph, program = lowered(
        document(
            ops,
            ["y", "z"],
            w1=sparse([96, 64], 8),
            w2=sparse([48, 96], 1),
            x={"shape": [64, 20]},
            b={"shape": [96, 1]},
            dense={"shape": [32, 48]},
        )
    )
    trace = time_program(program, BOW)
    assert trace.cycles == sum(trace.op_cycles(op.name) for op in graph.ops)
    assert [variable.name for variable in program.variables.values() if variable.kind == "reserved"] == [
        "code and stacks"
    ]
    assert program.inputs["w1"] == "w1.packed"


def test_one_sparse_tensor_has_a_packed_form_for_each_of_its_uses():
    ops = [
        {"op": "matmul", "inputs": ["w", "x"], "output": "y"},
        {"op": "matmul", "inputs": ["w", "y"], "output": "back", "transpose_a": True},
    ]
    _, program = lowered(document(ops, ["back"], w=sparse([32, 48], 4), x={"shape": [48, 8]}))
    random = np.random.default_rng(0)
    w = random.integers(-2, 3, (32, 48)).astype(np.float32)
    forms = [variable for variable in program.variables.values() if variable.tensor == "w"]
    assert len(forms) == 2
    mask = np.zeros(w.size, np.float32)
    mask[forms[0].positions()] = 1
    assert sorted(forms[0].positions()) == sorted(forms[1].positions())
    w *= mask.reshape(w.shape)
    x = random.integers(-1, 2, (48, 8)).astype(np.float32)
    found = execute_program(program, {"w": w, "x": x}, verify=True)
    assert np.array_equal(found["back"].reshape(48, 8), w.T @ (w @ x))


def test_the_operand_is_gathered_from_where_an_op_has_left_it():
    ops = [
        {"op": "relu", "inputs": ["x"], "output": "a"},
        {"op": "matmul", "inputs": ["w", "a"], "output": "y"},
    ]
    _, program = lowered(document(ops, ["y"], w=sparse([32, 48], 4), x={"shape": [48, 8]}))
    assert [step.name for step, _ in program.supersteps()][:2] == ["a/compute", "y/gather"]


@pytest.mark.parametrize(
    "layout", [Layout(), Layout(False), Layout(True, True, True), Layout(False, True, False, (2,))]
)
def test_storage_changes_no_cycle_of_the_product(layout):
    blocks = pattern("random", 12, 12, 4, seed=9)
    plain = static_case(blocks, 16, SMALL)
    other = static_case(blocks, 8 if layout.batch else 16, SMALL, layout=layout)
    assert time_program(other.program, SMALL).by_phase() == time_program(plain.program, SMALL).by_phase()
