from dataclasses import dataclass

import numpy as np
import pytest
from gradient_by_hand import static_gradient_case
from static_by_hand import pattern

from ipusim.chip.load import load_chip
from ipusim.codelets.registry import codelet
from ipusim.codelets.static_block_grad_w import CODELET
from ipusim.engine.charges import Charges
from ipusim.engine.timing import time_program
from ipusim.pipeline.compiling import compile_workload
from ipusim.plan.static_executed_grad_w import StaticGradientCycles, executed_static_grad_w

BOW = load_chip("bow")
NO_CHARGES = Charges(0, 0, 0, 0, 0, True)


@dataclass
class Overheads:
    exchange_phase_cycles: int = 0
    compute_set_cycles: int = 0


def agreeing(program, plan, chip=BOW):
    """Compare every term of a timed program, without the overheads of phases, with the executed cost."""
    trace = time_program(program, chip, NO_CHARGES)
    executed = executed_static_grad_w(
        plan.forward.partition, chip, Overheads(), plan.problem.partials_format, plan.amp, plan.n_slices
    )
    steps = [(step.name.removeprefix("dw/").partition(" ")[0], step) for step in trace.steps if step.op == "dw"]
    terms = trace.terms("dw")
    assert executed == plan.estimate
    for name in ("gather", "multiply"):
        assert sum(name == each for each, _ in steps) == plan.n_slices
    assert sum(step.exchange_cycles for name, step in steps if name == "gather") == executed.gather
    assert terms.get("transpose", 0) == executed.transpose
    assert sum(step.compute_cycles for name, step in steps if name == "multiply") == executed.multiply
    # the busiest sender may take longer than the busiest receiver, which the trace has apart
    assert sum(step.exchange_cycles for name, step in steps if name == "multiply") == executed.reduce_exchange
    assert terms.get("reduce", 0) + terms.get("cast", 0) == executed.reduce
    assert trace.op_cycles("dw") == executed.total
    return executed


@pytest.mark.parametrize(
    ("size", "n", "pair", "n_splits", "amp"),
    [
        (1, 32, ("float16", "float16"), 1, False),
        (1, 40, ("float32", "float32"), 3, False),
        (4, 40, ("float16", "float32"), 1, False),
        (8, 256, ("float16", "float16"), 2, True),
        (16, 128, ("float16", "float32"), 1, True),
        (16, 96, ("float32", "float32"), 2, True),
    ],
)
@pytest.mark.parametrize("turned", [False, True])
def test_program_and_executed_cost_agree_term_by_term(size, n, pair, n_splits, amp, turned):
    blocks = pattern("random", 40, 48, size, seed=2)
    case = static_gradient_case(blocks, n, BOW, *pair, n_splits=n_splits, turned=turned)
    executed = agreeing(case.program, case.plan)
    assert case.plan.amp == amp
    assert (executed.reduce_exchange > 0) == (n_splits > 1)


@pytest.mark.parametrize(
    ("size", "n", "pair", "n_splits"),
    [
        (1, 40, ("float16", "float16"), 1),
        (4, 44, ("float16", "float32"), 2),
        (8, 336, ("float16", "float16"), 2),
        (16, 208, ("float32", "float32"), 3),
    ],
)
def test_slices_agree_term_by_term(size, n, pair, n_splits):
    blocks = pattern("random", 40, 48, size, seed=2)
    whole = static_gradient_case(blocks, n, BOW, *pair, n_splits=n_splits).plan
    bound = whole.temporary_bytes * 2 // 3
    case = static_gradient_case(blocks, n, BOW, *pair, n_splits=n_splits, bound_bytes=bound, may_relax=False)
    executed = agreeing(case.program, case.plan)
    assert case.plan.n_slices > 1
    assert executed.multiply > whole.estimate.multiply or case.plan.amp != whole.amp
    overheads = executed_static_grad_w(
        case.plan.forward.partition, BOW, Overheads(100, 10), pair[1], case.plan.amp, case.plan.n_slices
    )
    slices = case.plan.n_slices
    assert overheads.exchange_phases == 100 * (slices + (n_splits > 1))
    assert overheads.compute_sets == 10 * (slices * (1 + case.plan.amp) + (executed.reduce > 0))


def test_terms_of_a_case_by_hand():
    # 8x8 blocks of 4 and 4 columns on 8 tiles, one band: a block row per tile, all 8 block columns
    chip = BOW.replace(n_tiles=8)
    case = static_gradient_case(pattern("all", 8, 8, 4), 4, chip, n_splits=1, n_bands=1)
    # of 8 blocks the slowest worker has 2, in one row: 26 + 9 + 2 (29 + 4 columns of 6)
    assert case.plan.estimate == StaticGradientCycles(
        gather=(1 + 8) * 4 * 4 * 2 // 4,
        transpose=0,
        multiply=75 + 6 * (26 + 9 + 2 * (29 + 4 * 6)),
        reduce_exchange=0,
        reduce=0,
        exchange_phases=0,
        compute_sets=0,
    )
    agreeing(case.program, case.plan, chip)


def test_a_vertex_of_the_amp_has_no_sub_groups_to_look_for():
    fields = {"rows": 3, "blocks": 7, "worker_slots": 0, "cols": 32}
    settings = {"block_size": 16, "vertex_block_size": 16, "inputs": "float16", "partials": "float32", "amp": True}
    dynamic = codelet("dynamic_block_grad_w").cycles({**fields, "own_sub_groups": 1}, settings, BOW)
    assert CODELET.cycles(fields, settings, BOW) == dynamic - 26


def training():
    tensors = {
        "w": {"shape": [256, 192], "sparsity": {"density": "1/4", "block_size": 8, "mode": "static"}},
        "x": {"shape": [192, 64]},
        "dy": {"shape": [256, 64]},
    }
    ops = [
        {"op": "matmul", "inputs": ["w", "x"], "output": "y"},
        {"op": "matmul", "inputs": ["w", "dy"], "output": "dx", "transpose_a": True},
        {"op": "matmul_at_nonzeros", "inputs": ["dy", "x", "w"], "output": "dw"},
    ]
    outputs = ["y", "dx", "dw"]
    return {"name": "passes", "chip": "bow", "dtype": "float16", "tensors": tensors, "ops": ops, "outputs": outputs}


def test_the_gradient_lies_where_the_weight_lies():
    compiled = compile_workload(training())
    plans, variables = compiled.plans, compiled.program.variables
    assert plans["dw"].forward is plans["y"]
    weight, gradient = variables["w.packed"], variables[compiled.program.outputs["dw"]]
    assert weight.shape == gradient.shape
    assert np.array_equal(weight.positions(), gradient.positions())
    assert np.array_equal(weight.home.tile, gradient.home.tile)
    assert np.array_equal(weight.home.regions.box, gradient.home.regions.box)
    assert np.array_equal(weight.home.regions.end, gradient.home.regions.end)
    agreeing(compiled.program, plans["dw"])


def test_the_order_of_the_passes_does_not_matter():
    first, last = training(), training()
    first["ops"] = first["ops"][::-1]
    plans = [compile_workload(spec).plans["dw"] for spec in (first, last)]
    assert plans[0].estimate == plans[1].estimate


def test_a_gradient_alone_needs_no_weight_on_the_chip():
    spec = training()
    spec["ops"], spec["outputs"] = spec["ops"][2:], ["dw"]
    compiled = compile_workload(spec)
    assert not [name for name, variable in compiled.program.variables.items() if variable.tensor == "w"]
    assert set(compiled.program.inputs) == {"x", "dy"}
