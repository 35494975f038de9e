"""Tensors in the wrong memory: what is missing, and settings that help."""

import pytest

import ipusim
from ipusim.chip.load import load_chip
from ipusim.report.terminal import render_run

TINY = load_chip("tiny")
WITH_DRAM = TINY.replace(dram_bytes=2**20, dram_bytes_per_s=2e9)


def products(memory, layers=10):
    """Return products whose weights take 1 KiB of each of four tiles, for a batch of 16."""
    shapes = [[64, 32] if number % 2 else [32, 64] for number in range(1, layers + 1)]
    tensors = {f"w{number}": {"shape": shape, "memory": memory} for number, shape in enumerate(shapes, start=1)}
    sources = ["x", *(f"h{number}" for number in range(1, layers))]
    return {
        "name": "products",
        "dtype": "float16",
        "tensors": {"x": {"shape": [32, 16]}, **tensors},
        "ops": [
            {"op": "matmul", "inputs": [f"w{number}", source], "output": f"h{number}"}
            for number, source in enumerate(sources, start=1)
        ],
        "outputs": [f"h{layers}"],
        "compile": {"levers": "none"},
    }


def _runs(workload, chip, lever):
    return ipusim.simulate(workload, chip, settings=lever.split(", "), explain=False).infeasible is None


def test_where_weights_do_not_fit_it_offers_the_dram_of_a_chip_that_has_one():
    found = ipusim.simulate(products("sram"), WITH_DRAM).infeasible
    assert found["constraint"] == "tile_sram_bytes"
    lever = next(each for each in found["levers"] if each.endswith("memory=dram"))
    assert _runs(products("sram"), WITH_DRAM, lever)
    # With one tensor less it would not fit.
    fewer = lever.rpartition(", ")[0]
    assert not fewer or not _runs(products("sram"), WITH_DRAM, fewer)
    without = ipusim.simulate(products("sram"), TINY).infeasible
    assert [each for each in found["levers"] if each != lever] == without["levers"]


def test_a_chip_without_dram_is_told_what_is_missing():
    found = ipusim.simulate(products("dram", 2), TINY).infeasible
    assert found["constraint"] == "dram_bytes"
    assert (found["demand_bytes"], found["capacity_bytes"], found["gap_bytes"]) == (8192, 0, 8192)
    assert found["terms"] == {"tensors in DRAM": 8192}
    assert found["levers"] == ["tensors.w1.memory=sram, tensors.w2.memory=sram"]
    assert _runs(products("dram", 2), TINY, found["levers"][0])


def test_a_dram_can_be_too_small():
    small = TINY.replace(dram_bytes=8192, dram_bytes_per_s=2e9)
    run = ipusim.simulate(products("dram"), small)
    assert run.cycles is None
    assert run.infeasible["demand_bytes"] == 10 * 4096
    assert run.infeasible["levers"] == ["dram_bytes=40960"]
    assert _runs(products("dram"), small, "dram_bytes=40960")
    assert _runs(products("dram"), small.replace(dram_bytes=40960), "seed=0")


def test_a_dram_without_a_rate_is_none():
    still = TINY.replace(dram_bytes=2**20)
    found = ipusim.simulate(products("dram"), still, explain=False).infeasible
    assert found["constraint"] == "the DRAM of tiny has no dram_bytes_per_s"
    assert (found["demand_bytes"], found["gap_bytes"], found["terms"], found["levers"]) == (0, 0, {}, [])


@pytest.mark.parametrize("stacked", [False, True])
def test_insight_and_uncertainty_know_of_it(stacked):
    run = ipusim.simulate(products("dram"), WITH_DRAM.replace(dram_stacked=stacked, dram_bytes_per_s=0.1e9))
    changes = {entry["change"]: entry["relative"] for entry in run.insights}
    assert changes["twice the DRAM bandwidth"] < -0.4
    assert "streaming from DRAM was never measured in a program" in run.uncertainty["outside"]
    resident = ipusim.simulate(products("sram", 2), WITH_DRAM)
    assert "twice the DRAM bandwidth" not in {entry["change"] for entry in resident.insights}


def test_a_report_says_what_is_missing_without_a_tile():
    text = render_run(ipusim.simulate(products("dram", 2), TINY).to_dict(), 80)
    assert "DOES NOT FIT: dram_bytes" in text
    assert "the chip has none" in text
    assert "on tile" not in text
