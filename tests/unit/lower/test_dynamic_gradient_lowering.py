import numpy as np
import pytest
from gradient_by_hand import dynamic_gradient_case
from static_by_hand import pattern

from ipusim.chip.load import load_chip
from ipusim.codelets.registry import codelet
from ipusim.cost.dynamic_overheads import DynamicOverheads, dynamic_overheads
from ipusim.engine.charges import Charges
from ipusim.engine.memory import map_memory
from ipusim.engine.timing import time_program
from ipusim.ir.program import Repeat
from ipusim.lower.dynamic_grid import column_pieces
from ipusim.lower.gradient_grid import equal_pieces
from ipusim.pipeline.compiling import compile_workload
from ipusim.pipeline.simulation import simulate
from ipusim.plan.dynamic_executed_grad_w import executed_grad_w

BOW = load_chip("bow")
NO_CHARGES = Charges(0, 0, 0, 0, 0, True)
WORK_ONLY = DynamicOverheads(0, 0, 0, 0, 0, 0, 0)


def training(m, k, n, block_size, density, dtype="float16", partials="float32", **sparsity):
    """Return a workload with all three passes over one weight."""
    sparsity = {"density": density, "block_size": block_size, "mode": "dynamic", **sparsity}
    w, x, dy = {"shape": [m, k], "sparsity": sparsity}, {"shape": [k, n]}, {"shape": [m, n]}
    ops = [
        {"op": "matmul", "inputs": ["w", "x"], "output": "y"},
        {"op": "matmul", "inputs": ["w", "dy"], "output": "dx", "transpose_a": True},
        {"op": "matmul_at_nonzeros", "inputs": ["dy", "x", "w"], "output": "dw"},
    ]
    ops = [{**op, "partials": partials} for op in ops]
    outputs = ["y", "dx", "dw"]
    tensors = {"w": w, "x": x, "dy": dy}
    return {"name": "passes", "chip": "bow", "dtype": dtype, "tensors": tensors, "ops": ops, "outputs": outputs}


def agreeing(program, placement, chip=BOW):
    """Compare every term of a timed program, without the overheads of phases, with the executed cost."""
    trace = time_program(program, chip, NO_CHARGES)
    executed = executed_grad_w(placement, WORK_ONLY)
    terms = trace.terms("dw")
    assert terms.get("transpose", 0) == executed.transpose
    assert terms["zero"] == executed.zero
    assert terms.get("dense", 0) == executed.dense_exchange
    assert terms.get("buckets", 0) + terms.get("operands", 0) == executed.bucket_exchange
    multiply = [step for step in trace.steps if step.op == "dw" and step.name == "dw/multiply"]
    assert sum(step.compute_cycles * step.count for step in multiply) == executed.multiply
    propagated = [step for step in trace.steps if step.op == "dw" and "propagate" in step.name]
    travels = [step for step in trace.steps if step.op == "dw" and step.name in ("dw/first travel", "dw/travel home")]
    assert sum(step.cycles * step.count for step in (*propagated, *travels)) == executed.propagation
    assert terms.get("cast", 0) == executed.reduce
    assert trace.op_cycles("dw") == executed.total + terms.get("control", 0)
    return executed


@pytest.mark.parametrize(
    ("m", "k", "n", "block_size", "density", "dtype", "partials"),
    [
        (512, 512, 64, 1, "1/8", "float16", "float32"),
        (512, 256, 64, 1, "1/3", "float32", "float32"),
        (256, 512, 96, 4, "1/4", "float16", "float16"),
        (512, 512, 64, 8, "1/2", "float32", "float32"),
        (1024, 512, 40, 16, "1/8", "float16", "float32"),
        (512, 512, 64, 8, "1/8", "float16", "float16"),
    ],
)
def test_three_passes_share_one_placement_and_cost_what_was_planned(m, k, n, block_size, density, dtype, partials):
    compiled = compile_workload(training(m, k, n, block_size, density, dtype, partials))
    plans = compiled.plans
    assert len({id(plan.placement) for plan in plans.values()}) == 1
    plan = plans["dw"]
    assert plan.plan.estimated_cycles == sum(each.cycles for each in plans.values())
    assert [name for name, each in compiled.program.variables.items() if each.tensor == "w"] == ["w.buckets"]
    agreeing(compiled.program, plan.placement)
    assert compiled.fits


@pytest.mark.parametrize("buckets", [False, True])
@pytest.mark.parametrize(("block_size", "n"), [(1, 48), (4, 48), (8, 20), (16, 96)])
@pytest.mark.parametrize(("kind", "oversize"), [("random", 0.3), ("corner", 0.0)])
def test_whatever_travels_the_terms_agree(block_size, n, kind, oversize, buckets):
    blocks = pattern(kind, 24, 24, block_size, seed=1)
    case = dynamic_gradient_case(blocks, n, BOW, partition=(4, 6, 4), oversize=oversize, buckets=buckets)
    plan = case.plan.plan
    assert (plan.p_n, plan.exchange_buckets) == (4, buckets)
    executed = agreeing(case.program, case.plan.placement)
    assert (executed.transpose > 0) == plan.amp_grad_w
    if kind == "corner":
        assert executed.propagation > 0


def test_phases_are_those_of_the_overheads():
    compiled = compile_workload(training(512, 512, 64, 8, "1/16", pattern="banded"))
    placement = compiled.plans["dw"].placement
    assert placement.propagation_steps > 0
    trace = time_program(compiled.program, BOW)
    executed = executed_grad_w(placement, dynamic_overheads(BOW))
    assert trace.op_cycles("dw") == pytest.approx(executed.total, rel=0.005)


def test_vertices_carry_what_their_formula_adds_up():
    for n in (20, 96):
        case = dynamic_gradient_case(pattern("all", 24, 24, 8), n, BOW, partition=(4, 6, 2))
        multiply = next(
            vertices
            for step, _ in case.program.supersteps()
            for vertices in step.compute
            if vertices.codelet == "dynamic_block_grad_w"
        )
        assert set(multiply.fields) == set(codelet("dynamic_block_grad_w").fields)
        assert multiply.fields["blocks"].sum() == case.plan.placement.blocks.n_blocks
        assert (multiply.fields["cols"] == case.plan.plan.z).all()
        assert case.plan.plan.amp_grad_w == (not multiply.fields["worker_slots"].any())


def test_memory_counts_a_second_bucket_or_a_second_operand():
    blocks = pattern("random", 24, 24, 4, seed=1)
    for buckets in (False, True):
        case = dynamic_gradient_case(blocks, 20, BOW, "float32", partition=(4, 6, 4), buckets=buckets)
        plan, memory = case.plan.plan, map_memory(case.program, BOW)
        loop = next(step for step in case.program.steps if isinstance(step, Repeat))
        arriving = {transfers.variable for transfers in loop.body[0].exchange}
        bytes_of = {
            item.name: int(item.bytes_on_tile.max())
            for item in memory.allocations
            if item.category == "operands" and item.name in arriving
        }
        if buckets:
            expected = {
                "dw.travelling": plan.bucket_groups * 16 * 4,
                "w.buckets.metadata": plan.bucket_words * 2,
            }
        else:
            expected = {"dy": plan.x_groups * 4 * plan.z * 4, "x": plan.y_groups * 4 * plan.z * 4}
        assert bytes_of == expected


def test_empty_pieces_fill_up():
    columns = equal_pieces(column_pieces(10, 2, 4, 3))
    pieces = list(zip(columns.begin.tolist(), columns.end.tolist(), strict=True))
    assert pieces == [(0, 4), (4, 4), (4, 5), (5, 8), (8, 10), (10, 10)]
    assert columns.first.tolist() == [0, 2, 4, 6]


@pytest.mark.parametrize("pattern_of", ["random", "banded"])
def test_the_executed_gradient_is_checked_at_the_non_zeros(pattern_of):
    run = simulate(training(128, 96, 40, 4, "1/4", pattern=pattern_of), execute=True, verify=True, explain=False)
    assert run.check["passed"]
    gradient = run.outputs["dw"]
    assert gradient.shape == (128, 96)
    blocks = run.compiled.plans["y"].problem.blocks
    rows, cols = np.nonzero((gradient != 0).reshape(32, 4, 24, 4).any(axis=(1, 3)))
    assert np.array_equal(rows, blocks.rows)
    assert np.array_equal(cols, blocks.cols)
