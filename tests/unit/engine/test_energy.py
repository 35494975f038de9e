"""Energy of programs: by hand on the invented chip, superstep by superstep, and what sums up to what."""

from __future__ import annotations

import pytest
from handmade import document, problem_of

import ipusim
from ipusim.engine.energy import measure_energy, vertex_work
from ipusim.ir.program import Repeat
from ipusim.pipeline.run import Run

PJ = 1e-12


@pytest.fixture(scope="module")
def product() -> Run:
    return ipusim.simulate(document(problem_of(16, 32, 8)) | {"chip": "tiny"})


def test_a_matmul_on_the_invented_chip_by_hand(product: Run) -> None:
    # Two parts of k and two of the 8 columns: 256 bytes arrive at each of 4 tiles; 4096 multiply-adds on the AMP, whose
    # 8 weight loads of 16 bytes on each tile cover 512 bytes; 64 bytes of partial sums swapped by each tile; then each
    # adds 32 pairs of float16: 64 elements read and 32 written. At rest 6 mm2 take 3 mW, 3 pJ per cycle.
    assert product.energy_trace is not None
    operands, multiply, reduce = (step.energy for step in product.energy_trace.steps)
    assert operands.to_dict() == pytest.approx(
        {
            "arithmetic": 0,
            "memory": 2048 * PJ,
            "transport": 0,
            "exchange": 10240 * PJ,
            "dram": 0,
            "control": 4 * PJ,
            "static": 3 * 74 * PJ,
        }
    )
    assert multiply.to_dict() == pytest.approx(
        {
            "arithmetic": 4096 * PJ,
            "memory": (2048 + 512 + 512) * PJ,
            "transport": 2048 * PJ,
            "exchange": 2560 * PJ,
            "dram": 0,
            "control": (4 * 1119 - 2048 + 4) * PJ,
            "static": 3 * (1119 + 10 + 16) * PJ,
        }
    )
    assert reduce.to_dict() == pytest.approx(
        {
            "arithmetic": 64 * PJ,
            "memory": 768 * PJ,
            "transport": 0,
            "exchange": 0,
            "dram": 0,
            "control": 4 * 120 * PJ,
            "static": 3 * 120 * PJ,
        }
    )


def test_a_run_tells_what_its_energy_comes_to(product: Run) -> None:
    result = product.to_dict()
    assert result["energy_j"] == pytest.approx(31829 * PJ)
    assert sum(result["energy"].values()) == result["energy_j"]
    assert sum(op["energy_j"] for op in result["ops"]) == pytest.approx(result["energy_j"])
    assert result["power_w"] == pytest.approx(31829 / 1339 * 1e-3)
    assert result["tflops_per_w"] == pytest.approx(8192 / 31829)
    assert result["area_mm2"] == pytest.approx(6)
    assert result["energy_note"] is None


def test_a_chip_without_the_constants_says_which(product: Run) -> None:
    chip = product.compiled.chip.model_copy(update={"static_power_w_per_mm2": None, "instruction_energy_j": None})
    result = ipusim.simulate(document(problem_of(16, 32, 8)), chip).to_dict()
    assert result["energy_note"] == "the chip has no instruction_energy_j, static_power_w_per_mm2"
    for key in ("energy_j", "energy", "power_w", "tflops_per_w"):
        assert result[key] is None
    assert result["ops"][0]["energy_j"] is None
    assert result["cycles"] == product.cycles


def test_a_workload_that_does_not_fit_has_no_energy() -> None:
    run = ipusim.simulate(document(problem_of(1024, 1024, 64)) | {"chip": "tiny"})
    assert run.infeasible is not None
    assert (run.energy_j, run.energy_by_component, run.power_w, run.energy_note) == (None, None, None, None)


def test_a_loop_is_charged_for_every_iteration() -> None:
    run = ipusim.simulate(document(problem_of(48, 256, 24)) | {"chip": "tiny"})
    assert run.compiled.program is not None
    loop = next((step for step in run.compiled.program.steps if isinstance(step, Repeat)), None)
    assert loop is not None
    performed = 0
    for step, count in run.compiled.program.supersteps():
        for vertices in step.compute:
            performed += count * vertex_work(vertices, run.compiled.program, run.compiled.chip, True).amp_flops
    assert performed == 2 * 48 * 256 * 24
    assert run.energy_by_component is not None
    assert run.energy_by_component["transport"] == pytest.approx(performed * 0.25 * PJ)


def test_padding_takes_energy() -> None:
    # 3 input channels where the AMP takes 4
    run = ipusim.simulate(document(problem_of(8, 3, 5)) | {"chip": "tiny"})
    assert run.energy_by_component is not None
    assert run.flops == 2 * 8 * 3 * 5
    assert run.energy_by_component["transport"] == pytest.approx(2 * 8 * 4 * 5 * 0.25 * PJ)


def test_supersteps_that_are_the_same_are_measured_once(product: Run) -> None:
    compiled = product.compiled
    assert compiled.program is not None
    assert product.trace is not None
    again = measure_energy(compiled.program, product.trace, compiled.chip)
    assert again == product.energy_trace
