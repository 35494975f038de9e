"""What a chip derives from its constants."""

from __future__ import annotations

import pytest

from ipusim.chip.amp import element_bytes, storage_format
from ipusim.chip.derived import derived_figures, vector_flops
from ipusim.chip.load import load_chip


def test_peak_is_that_of_the_fastest_row() -> None:
    bow = load_chip("bow")
    fast, slow = bow.amp_modes_for("float16", "float16")
    assert (fast.units, slow.units) == (16, 8)
    assert bow.peak_flops("float16") == 1472 * 1.85e9 * 2 * 16 * 16 / 4
    assert bow.replace(amp_modes=[slow]).peak_flops("float16") == 1472 * 1.85e9 * 2 * 8 * 16 / 4


def test_an_unknown_format_has_no_peak() -> None:
    assert load_chip("bow").peak_flops("float8_e4m3fnuz") == 0.0
    assert load_chip("bow").peak_flops("float16", "bfloat16") == 0.0
    assert load_chip("bow").amp_modes_for("bfloat16") == ()


@pytest.mark.parametrize(("name", "width"), [("float32", 2), ("float16", 4), ("bfloat16", 4), ("float8_e5m2fnuz", 8)])
def test_vector_width(name: str, width: int) -> None:
    assert load_chip("bow").vector_width(name) == width
    assert load_chip("bow").replace(data_path_bytes=4).vector_width(name) == max(1, width // 2)


def test_unknown_formats_are_refused() -> None:
    with pytest.raises(ValueError, match="unknown number format 'int8'"):
        load_chip("bow").vector_width("int8")
    with pytest.raises(ValueError, match="unknown number format"):
        element_bytes("float64")


def test_storage_format() -> None:
    assert [storage_format(name) for name in ("float8_e4m3fnuz", "float16")] == ["float8", "float16"]


def test_energy_of_an_operation_prefers_the_pair_of_formats() -> None:
    gc200 = load_chip("gc200")
    assert gc200.flop_energy_j("float16", "float32") == 1.75e-12
    assert gc200.flop_energy_j("float16", "float16") == 1.3e-12
    assert gc200.flop_energy_j("float32") == 3.3e-12
    assert gc200.flop_energy_j("bfloat16") is None


def test_derived_figures_agree_with_published_ones() -> None:
    figures = {figure.name: figure for figure in derived_figures(load_chip("gc200"))}
    assert round(figures["matrix peak, float16 with float16 partials"].value / 1e12) == 250
    assert round(figures["vector peak, float32"].value / 1e12, 1) == 7.8
    assert round(figures["exchange rate"].value / 1e12, 1) == 7.8
    assert figures["SRAM of all tiles"].value == 1472 * 638976
    assert all(figure.unit and figure.formula for figure in figures.values())
    assert vector_flops(load_chip("tiny"), "float16") == 4 * 1e9 * 2 * 4
