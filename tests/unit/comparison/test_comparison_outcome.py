from types import SimpleNamespace

import pytest

from ipusim.comparison.outcome import BAD_INPUT, FAILED, INFEASIBLE, OK, Outcome, describe_infeasible, outcome_of
from ipusim.errors import BadInputError, IpusimError, Problem, VerifierError
from ipusim.sparse.patterns.spec import PatternError


def _run(**changes):
    plan = {"strategy": "dense", "partition": {"p_m": 4, "p_k": 1}, "vertex": "amp_1x1"}
    fields = {
        "cycles": 100,
        "seconds": 1e-6,
        "flops": 2000,
        "energy_j": None,
        "energy_by_component": None,
        "cycles_by_phase": {"compute": 70, "exchange": 20, "sync": 10},
        "memory": {"max_tile_bytes": 300, "tile_sram_bytes": 1000},
        "ops": [{"name": "y", "plan": plan}, {"name": "z", "plan": {}}],
        "infeasible": None,
        "uncertainty": None,
    }
    return SimpleNamespace(**fields | changes)


def test_figures():
    assert outcome_of(_run) == Outcome(
        OK, "", 100, 1e-6, 2000, None, {"compute": 70, "exchange": 20, "sync": 10}, 300, 1000, "dense, p_m 4, amp_1x1"
    )


def test_plans_of_several_ops_have_their_names():
    ops = [{"name": name, "plan": {"strategy": "dense"}} for name in ("a", "b")]
    assert outcome_of(lambda: _run(ops=ops)).plan == "a: dense; b: dense"


def test_a_new_pattern_of_a_tensor_counts_once():
    def op(tensor, upload_s):
        update = {"tensor": tensor, "host_s": 0.5, "upload_s": upload_s, "upload_bytes": 10}
        return {"name": "y", "plan": {"strategy": "dynamic_sparse", "pattern_update": update}}

    ops = [op("w", 0.25), op("w", 0.25), op("v", 0.5)]
    assert outcome_of(lambda: _run(ops=ops)).pattern_update == {"host_s": 1.0, "upload_s": 0.75, "upload_bytes": 20}
    assert outcome_of(lambda: _run(ops=[op("w", None)])).pattern_update["upload_s"] is None
    assert outcome_of(_run).pattern_update is None


def test_propagation_steps_add_up():
    ops = [{"name": "y", "plan": {"propagation_steps": steps}} for steps in (3, 0, 4)]
    assert outcome_of(lambda: _run(ops=ops)).propagation_steps == 7
    assert outcome_of(_run).propagation_steps is None


def test_what_does_not_fit_has_no_cycles_and_a_reason():
    infeasible = {"constraint": "tile_sram_bytes", "demand_bytes": 2048, "capacity_bytes": 1024}
    phases = dict.fromkeys(("compute", "exchange", "sync"))
    outcome = outcome_of(lambda: _run(cycles=None, seconds=None, cycles_by_phase=phases, infeasible=infeasible))
    assert (outcome.status, outcome.reason) == (INFEASIBLE, "a tile would need 2.00 KiB and has 1.00 KiB")
    assert (outcome.cycles, outcome.cycles_by_phase, outcome.flops) == (None, {}, 2000)


@pytest.mark.parametrize(
    ("infeasible", "text"),
    [
        ({"constraint": "the AMP cannot", "demand_bytes": 0}, "the AMP cannot"),
        ({"constraint": "bucket overflow"}, "bucket overflow"),
        (
            {"constraint": "bucket of tile 3", "demand_bytes": 2048, "capacity_bytes": 1024},
            "bucket of tile 3: 2.00 KiB needed, 1.00 KiB there",
        ),
    ],
)
def test_other_reasons_not_to_fit(infeasible, text):
    assert describe_infeasible(infeasible) == text


@pytest.mark.parametrize(
    ("error", "status", "reason"),
    [
        (
            BadInputError([Problem("a", 1, 2, "x", "is wrong"), Problem("b", 0, 0, "", "too")]),
            BAD_INPUT,
            "a:1:2: x: is",
        ),
        (PatternError("cannot be built"), BAD_INPUT, "cannot be built"),
        (IpusimError("two\n  lines"), FAILED, "two lines"),
        (VerifierError("rule broken"), FAILED, "rule broken"),
        (MemoryError(), FAILED, "this machine has not enough memory for it"),
        (
            ZeroDivisionError("by zero"),
            FAILED,
            "a defect of ipusim: ZeroDivisionError: by zero (test_comparison_outcome",
        ),
        (IpusimError("x" * 10_000), FAILED, "xxx"),
    ],
)
def test_errors_are_reasons(error, status, reason):
    def fail():
        raise error

    outcome = outcome_of(fail)
    assert outcome.status == status
    assert outcome.reason.startswith(reason)
    assert len(outcome.reason) <= 300
    assert outcome.cycles is None


def test_an_interrupt_is_no_outcome():
    def interrupt():
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        outcome_of(interrupt)
