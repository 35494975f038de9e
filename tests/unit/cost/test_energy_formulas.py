"""The energy formulas, on the invented chip whose constants are round."""

from __future__ import annotations

import pytest

from ipusim.chip.load import load_chip
from ipusim.cost.energy import (
    COMPONENTS,
    ENERGY_FIELDS,
    Energy,
    Work,
    control_energy,
    dram_energy,
    exchange_energy,
    matmul_power_w,
    missing_energy_fields,
    static_energy,
    static_power_w,
    work_energy,
)

PJ = 1e-12


def test_an_amp_operation_is_charged_the_published_figure_and_no_more() -> None:
    energy = work_energy(Work("float16", "float16", amp_flops=1000), load_chip("tiny"))
    assert energy.to_dict() == pytest.approx(
        {
            "arithmetic": 500 * PJ,
            "memory": 250 * PJ,
            "transport": 250 * PJ,
            "exchange": 0,
            "dram": 0,
            "control": 0,
            "static": 0,
        }
    )
    assert energy.total == pytest.approx(1000 * PJ)


def test_the_vector_path_is_charged_arithmetic_and_its_bytes() -> None:
    work = Work("float32", "float32", vector_flops=100, read_bytes=30, written_bytes=10)
    energy = work_energy(work, load_chip("tiny"))
    assert (energy.arithmetic, energy.memory, energy.transport) == pytest.approx((100 * PJ, 40 * PJ, 0))


def test_the_format_of_partial_sums_matters_and_an_unknown_one_is_free() -> None:
    bow = load_chip("bow")
    wide = work_energy(Work("float16", "float32", amp_flops=1000), bow)
    assert wide.total == pytest.approx(1510 * PJ)
    assert work_energy(Work("float16", "float16", amp_flops=1000), bow).total == pytest.approx(1120 * PJ)
    assert work_energy(Work("bfloat16", "float32", amp_flops=1000), bow).total == 0
    moved = work_energy(Work(read_bytes=3, written_bytes=5), load_chip("tiny"))
    assert moved.to_dict() == {**Energy().to_dict(), "memory": pytest.approx(8 * PJ)}


def test_both_ends_of_an_exchange() -> None:
    # to one tile: 10 pJ per byte; to four: (1 + 4) / 2 as much; memory 1 pJ at each end
    chip = load_chip("tiny")
    assert exchange_energy(8, 8, chip).exchange == pytest.approx(80 * PJ)
    assert exchange_energy(8, 32, chip).exchange == pytest.approx(200 * PJ)
    assert exchange_energy(8, 32, chip).memory == pytest.approx(40 * PJ)


def test_reading_dram_is_charged_to_it_alone() -> None:
    chip = load_chip("bow").model_copy(update={"dram_energy_per_byte_j": 60 * PJ})
    assert dram_energy(50, chip).to_dict() == {**Energy().to_dict(), "dram": pytest.approx(3000 * PJ)}
    bare = chip.model_copy(update={"name": "bare", "dram_energy_per_byte_j": None})
    with pytest.raises(ValueError, match="'bare' has no dram_energy_per_byte_j"):
        dram_energy(1, bare)


def test_control_and_static() -> None:
    chip = load_chip("tiny")
    assert control_energy(100, 30.0, 2, chip).total == pytest.approx((70 + 2 * 4) * PJ)
    assert control_energy(10, 30.0, 0, chip).total == 0
    assert static_energy(2000, chip).total == pytest.approx(6 * 0.0005 * 2e-6)
    assert static_energy(2000, chip.model_copy(update={"static_power_w_per_mm2": None})).total == 0


def test_sums_and_multiples() -> None:
    one = Energy(*(float(index) for index in range(len(COMPONENTS))))
    assert (one + one).to_dict() == one.times(2).to_dict()
    assert one.total == sum(one.to_dict().values()) == 21


def test_what_a_chip_lacks_is_named() -> None:
    bow = load_chip("bow")
    assert missing_energy_fields(bow, [("float16", "float32")]) == ()
    assert missing_energy_fields(bow, [("bfloat16", "float32")]) == ("energy_per_flop_j.bfloat16",)
    without = bow.model_copy(update={"dram_energy_per_byte_j": None})
    assert missing_energy_fields(without) == ()
    assert missing_energy_fields(without, dram=True) == ("dram_energy_per_byte_j",)
    pair = bow.model_copy(update={"energy_per_flop_j": {"float16/float32": PJ}})
    assert missing_energy_fields(pair, [("float16", "float32")]) == ()
    assert missing_energy_fields(pair, [("float16", "float16")]) == ("energy_per_flop_j.float16",)
    bare = bow.model_copy(update={"uncore_area_mm2": None, "instruction_energy_j": None, "energy_per_flop_j": {}})
    lacking = ("instruction_energy_j", "uncore_area_mm2", "energy_per_flop_j.float16")
    assert missing_energy_fields(bare, [("float16", "float16")]) == lacking
    assert set(ENERGY_FIELDS) <= set(type(bow).model_fields)
    with pytest.raises(ValueError, match="'bow' has no instruction_energy_j"):
        control_energy(1, 0.0, 0, bare)


def test_static_power_follows_from_the_area() -> None:
    bow = load_chip("bow")
    assert static_power_w(bow) == pytest.approx(40, rel=0.001)
    smaller = static_power_w(bow.replace(n_tiles=736))
    assert smaller is not None
    assert 15 < smaller < 25
    assert static_power_w(bow.model_copy(update={"static_power_w_per_mm2": None})) is None


def test_power_of_a_matmul_at_a_rate() -> None:
    gc200 = load_chip("gc200")
    assert matmul_power_w(gc200, "float16") == pytest.approx(249.66e12 * 1.3 * PJ + 40, rel=1e-3)
    assert matmul_power_w(gc200, "float16", "float16", 0.5) == pytest.approx(249.66e12 * 0.65 * PJ + 40, rel=1e-3)
    # partial sums of 32 bits halve the rate and cost more each
    assert matmul_power_w(gc200, "float16", "float32") == pytest.approx(124.83e12 * 1.75 * PJ + 40, rel=1e-3)
    assert matmul_power_w(gc200, "bfloat16") is None
