"""The packaged chips: peaks as published, every constant with its origin."""

from __future__ import annotations

import pytest

from ipusim.chip.fields import constant_fields, field_description, field_units
from ipusim.chip.load import chip_names, load_chip
from ipusim.chip.provenance import CONFIDENCES, USERS_FILE
from ipusim.files.document import load_document
from ipusim.files.packaged import packaged_file


@pytest.mark.parametrize(
    ("name", "inputs", "partials", "tflops"),
    [
        ("bow", "float16", None, 348.6),
        ("bow", "float32", None, 87.1),
        ("bow", "float16", "float32", 174.3),
        ("gc200", "float16", None, 249.7),
        ("gc200", "float32", None, 62.4),
        ("gc2", "float16", None, 124.5),
        ("gc2", "float16", "float32", 124.5),
        ("c600", "float16", None, 280.0),
        ("c600", "float8_e4m3fnuz", None, 560.0),
        ("c600", "float8_e5m2fnuz", "float16", 560.0),
    ],
)
def test_matrix_peaks_are_the_published_ones(name: str, inputs: str, partials: str | None, tflops: float) -> None:
    assert round(load_chip(name).peak_flops(inputs, partials) / 1e12, 1) == tflops


def test_other_published_totals() -> None:
    gc200, gc2, bow = load_chip("gc200"), load_chip("gc2"), load_chip("bow")
    assert gc2.total_sram_bytes == 304 * 2**20
    assert gc200.total_sram_bytes == 897 * 2**20
    assert round(gc2.sram_read_bytes_per_s / 1e12, 1) == 31.1
    assert round(gc200.exchange_bytes_per_s / 1e12, 1) == 7.8
    assert bow.tile_sram_bytes == 638976


def test_gc2_states_that_its_float32_peak_contradicts_the_published_one() -> None:
    gc2 = load_chip("gc2")
    assert round(gc2.peak_flops("float32") / 1e12, 1) == 15.6
    assert "31.1 TFLOP/s published" in gc2.provenance["amp_modes.2.cycles_per_row"].note


def test_the_documented_parts_of_an_exchange_phase_of_bow() -> None:
    bow = load_chip("bow")
    last_row = (bow.n_tiles - 1) // bow.tiles_per_exchange_row
    rows = last_row * bow.exchange_row_cycles
    assert bow.sync_cycles + bow.exchange_mux_cycles + bow.exchange_tail_cycles + rows == 333


def test_bow_is_a_gc200_with_another_clock() -> None:
    gc200, bow = load_chip("gc200"), load_chip("bow")
    changed = {name for name in constant_fields() if getattr(gc200, name) != getattr(bow, name)}
    assert changed == {"clock_hz", "external_sync_cycles", "energy_per_flop_j", "chip_power_w"}


def test_tiny_can_be_worked_out_by_hand() -> None:
    tiny = load_chip("tiny")
    assert (tiny.n_tiles, tiny.worker_contexts, tiny.tile_sram_bytes) == (4, 2, 16 * 1024)
    assert (tiny.exchange_bytes_per_cycle, tiny.exchange_bus_sharing, tiny.sync_cycles) == (4, False, 10)
    overheads = ("exchange_mux", "exchange_tail", "exchange_row", "exchange_phase_overhead", "compute_set_overhead")
    assert [getattr(tiny, f"{name}_cycles") for name in overheads] == [0] * 5
    assert tiny.peak_flops("float16") == 4 * 1e9 * 2 * 2 * 4 / 4


@pytest.mark.parametrize("name", chip_names())
def test_every_constant_has_unit_source_and_confidence(name: str) -> None:
    chip = load_chip(name)
    assert chip.name == name
    assert chip.description
    known = {field for field in constant_fields() if getattr(chip, field) is not None}
    assert known == set(constant_fields())
    for field in known:
        origin = chip.provenance[field]
        assert origin.source
        assert origin.source != USERS_FILE
        assert origin.confidence in CONFIDENCES
        assert origin.unit == field_units()[field]
        assert field_description(field)


@pytest.mark.parametrize("name", chip_names())
def test_every_constant_in_the_file_says_where_it_comes_from(name: str) -> None:
    data = load_document(packaged_file("configs", name)).data
    for field in set(data) & set(constant_fields()):
        assert {"value", "source", "confidence"} <= set(data[field]), field


@pytest.mark.parametrize("name", chip_names())
def test_fitted_constants_say_so(name: str) -> None:
    for path, origin in load_chip(name).provenance.items():
        if origin.confidence == "measured" and "fit" in origin.source:
            assert "fitted" in origin.note, path


def test_units_are_those_of_the_names() -> None:
    suffixes = {"_hz": "Hz", "_cycles": "cycles", "_per_cycle": "B/cycle", "_w": "W", "_per_s": "B/s", "_bits": "bits"}
    for field, unit in field_units().items():
        for suffix, expected in suffixes.items():
            if field.endswith(suffix):
                assert unit == expected, field
