import json
import re

import pytest

from ipusim.chip.load import chip_names, load_chip
from ipusim.report.chip_document import chip_document, derived_peaks
from ipusim.report.chips import render_chip, render_chips
from ipusim.report.json import render_json


def test_list_has_a_row_for_every_chip_with_published_peaks():
    text = render_chips(map(load_chip, chip_names()))
    for name in chip_names():
        assert re.search(rf"^{name} +[\d,]+ +\d+ ", text, re.MULTILINE)
    assert re.search(r"^bow +1,472 +6 +1.85 GHz +897 MiB +- +349 TFLOP/s +87.1 TFLOP/s$", text, re.MULTILINE)


@pytest.mark.parametrize("name", chip_names())
def test_every_constant_stands_there_with_confidence_and_source(name):
    chip = load_chip(name)
    text = render_chip(chip)
    words = " ".join(text.split())
    for field, constant in chip_document(chip)["constants"].items():
        assert field in text
        assert constant["confidence"] in ("measured", "documented", "derived", "assumed")
        assert " ".join(constant["source"].split()) in words


def test_values_units_and_parts_with_an_origin_of_their_own():
    text = render_chip(load_chip("bow"))
    assert re.search(r"^  tile_sram_bytes +624 KiB = 638,976 B +documented$", text, re.MULTILINE)
    assert re.search(r"^  clock_hz +1.85 GHz +documented$", text, re.MULTILINE)
    assert re.search(r"^  exchange_bus_sharing +yes +documented$", text, re.MULTILINE)
    assert re.search(r"^  energy_per_flop_j.float32 +2.84 pJ/FLOP +derived$", text, re.MULTILINE)
    assert "3.worker_fill_slots, measured; source: fit to" in text
    assert re.search(r"Constants by confidence: 5 measured, \d+ documented", text)


def test_derived_peaks_are_the_published_ones():
    peaks = derived_peaks(load_chip("bow"))["peak_flops"]
    assert list(peaks) == ["float16/float16", "float16/float32", "float32/float32"]
    assert round(peaks["float16/float16"] / 1e12, 1) == 348.6
    assert round(peaks["float32/float32"] / 1e12, 1) == 87.1
    assert "348.6 TFLOP/s" in render_chip(load_chip("bow"))


def test_a_change_shows_as_its_own_source():
    document = chip_document(load_chip("tiny", settings=("n_tiles=8",)))
    assert document["constants"]["n_tiles"]["value"] == 8
    assert document["constants"]["n_tiles"]["source"] == "--set n_tiles=8"


def test_the_document_is_json():
    document = json.loads(render_json(chip_document(load_chip("c600"))))
    assert document["name"] == "c600"
    assert len(document["constants"]["amp_modes"]["value"]) > 0
    assert document["constants"]["clock_hz"]["unit"] == "Hz"


@pytest.mark.parametrize("name", chip_names())
@pytest.mark.parametrize("width", [80, 120])
def test_keeps_to_the_width(name, width):
    assert max(map(len, render_chip(load_chip(name), width).splitlines())) <= width


def test_the_list_keeps_to_80_columns():
    assert max(map(len, render_chips(map(load_chip, chip_names())).splitlines())) <= 80
