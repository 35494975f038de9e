"""Area of a die: by hand on the invented chip, against published dies, and how it grows."""

from __future__ import annotations

from typing import Any

import pytest

from ipusim.chip.load import load_chip
from ipusim.cost.area import (
    AREA_FIELDS,
    LOGIC_SCALE,
    SRAM_SCALE,
    amp_macs,
    area_breakdown,
    chip_area_mm2,
    missing_area_fields,
    node_scale,
)


def test_the_parts_of_the_invented_chip_by_hand() -> None:
    # 4 tiles of 16 KiB = 1/16 MiB at 16 mm2/MiB; float32 products: 2 units x 2 / 4 cycles = 1, worth 4 of float16, so
    # 4 tiles x 4 x 0.0625; 4 x (0.25 + 2 x 0.125); 16 pairs x 4 B x 0.015625 mm2; uncore 1
    parts = area_breakdown(load_chip("tiny"))
    assert parts is not None
    assert parts.to_dict() == pytest.approx({"sram": 1, "amp": 1, "tile_logic": 2, "exchange": 1, "uncore": 1})
    assert chip_area_mm2(load_chip("tiny")) == pytest.approx(6)


def test_hardware_for_sparse_products_by_hand() -> None:
    # Of the parts above: ports of 64 bytes are two doublings; lists and skipping; 2 units of 8 bytes and 0.0625 mm2 on
    # each tile; two more lanes
    chip = load_chip("tiny").replace(
        interleaved_load_bytes=64,
        amp_block16_fraction=1,
        amp_skip_n=1,
        amp_skip_m=2,
        gather_units=2,
        tiles_per_exchange_bus=4,
        exchange_bus_sharing=True,
        exchange_bus_rate_factor=4,
    )
    parts = area_breakdown(chip)
    assert parts is not None
    expected = {"sram": 1.1, "amp": 1.2, "tile_logic": 2 + 4 * 2 * 8 * 0.0625, "exchange": 1.2, "uncore": 1}
    assert parts.to_dict() == pytest.approx(expected)


@pytest.mark.parametrize("name", ["gc200", "bow", "gc2"])
def test_published_dies(name: str) -> None:
    chip = load_chip(name)
    assert chip_area_mm2(chip) == pytest.approx(chip.die_area_mm2, rel=0.01)


def test_half_the_die_is_memory() -> None:
    parts = area_breakdown(load_chip("gc200"))
    assert parts is not None
    assert parts.sram / parts.total == pytest.approx(0.5, abs=0.01)


@pytest.mark.parametrize(
    "change",
    [
        {"n_tiles": 1600},
        {"tile_sram_bytes": "640 KiB"},
        {"worker_contexts": 8},
        {"exchange_bytes_per_cycle": 8},
        {"process_nm": 10},
        {"gather_units": 1},
        {"interleaved_load_bytes": 32},
        {"amp_block4_fraction": 0.5},
        {"amp_skip_n": 2, "amp_skip_m": 4},
        {"tiles_per_exchange_bus": 4, "exchange_bus_rate_factor": 4},
    ],
)
def test_more_hardware_takes_more_area(change: dict[str, Any]) -> None:
    chip = load_chip("bow")
    larger, area = chip_area_mm2(chip.replace(**change)), chip_area_mm2(chip)
    assert larger is not None
    assert area is not None
    assert larger > area


def test_units_and_formats_size_the_amp() -> None:
    gc200, gc2, c600 = load_chip("gc200"), load_chip("gc2"), load_chip("c600")
    assert amp_macs(gc200) == 64  # float16: 16 x 16 / 4; float32: 16 x 8 / 8 products, worth 4 each
    assert amp_macs(gc2) == 32
    assert amp_macs(c600) == 64  # 128 products of 8 bits take as much as 32 of 16
    wide = [mode.model_dump() for mode in gc200.amp_modes]
    wide[0]["units"] = 32
    assert amp_macs(gc200.replace(amp_modes=wide)) == 128


def test_nodes_scale_and_interpolate() -> None:
    assert [node_scale(node, SRAM_SCALE) for node in (3, 5, 7, 16)] == pytest.approx(SRAM_SCALE)
    assert [node_scale(node, LOGIC_SCALE) for node in (3, 5, 7, 16)] == pytest.approx(LOGIC_SCALE)
    scales = [node_scale(node, LOGIC_SCALE) for node in (2, 3, 4, 6, 7, 10, 16, 28)]
    assert scales == sorted(scales)
    assert node_scale(28, SRAM_SCALE) > 3


def test_a_chip_without_the_constants_has_no_area() -> None:
    bare = load_chip("bow").model_copy(update={"uncore_area_mm2": None, "process_nm": None})
    assert chip_area_mm2(bare) is None
    assert missing_area_fields(bare) == ("process_nm", "uncore_area_mm2")
    assert set(AREA_FIELDS) >= set(missing_area_fields(bare))
