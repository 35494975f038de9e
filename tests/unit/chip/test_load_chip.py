"""Loading chips: names, files, mappings, extends, changes, provenance."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ipusim.chip.dump import chip_to_dict
from ipusim.chip.fields import constant_fields
from ipusim.chip.load import chip_names, load_chip
from ipusim.chip.model import Chip
from ipusim.chip.provenance import Provenance, find_provenance
from ipusim.errors import BadInputError


def failure(source: Any, settings: list[str] | None = None, **overrides: object) -> str:
    with pytest.raises(BadInputError) as caught:
        load_chip(source, settings or [], **overrides)
    return str(caught.value)


def test_names() -> None:
    assert chip_names() == ("bow", "c600", "gc2", "gc200", "tiny")


def test_a_loaded_chip_is_returned_as_it_is() -> None:
    bow = load_chip("bow")
    assert load_chip(bow) is bow


def test_a_file_extends_a_packaged_chip_and_another_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "sub").mkdir()
    (tmp_path / "wide.yaml").write_text("extends: bow\nexchange_bytes_per_cycle: 8\nsync_cycles: 100\n")
    (tmp_path / "sub" / "fast.yaml").write_text(
        "name: fast\nextends: ../wide.yaml\nclock_hz: {value: 2 GHz, source: wish, confidence: assumed, note: n}\n"
    )
    monkeypatch.chdir(tmp_path)
    chip = load_chip("sub/fast.yaml")
    assert (chip.name, chip.clock_hz, chip.exchange_bytes_per_cycle, chip.n_tiles) == ("fast", 2e9, 8, 1472)
    assert chip.description == ""
    assert chip.provenance["clock_hz"] == Provenance("Hz", "wish", "assumed", "n")
    assert chip.provenance["sync_cycles"] == Provenance("cycles", "user's file", "assumed")
    assert chip.provenance["n_tiles"] == load_chip("bow").provenance["n_tiles"]
    assert load_chip("wide.yaml").name == "wide"


def test_a_value_without_source_is_an_assumption_of_the_users_file() -> None:
    chip = load_chip({"extends": "bow", "n_tiles": 64, "sync_cycles": {"value": 5, "confidence": "measured"}})
    assert chip.name == "custom"
    assert chip.provenance["n_tiles"] == Provenance("tiles", "user's file", "assumed")
    assert chip.provenance["sync_cycles"] == Provenance("cycles", "user's file", "measured")


def test_parts_of_tables_may_have_an_origin_of_their_own() -> None:
    origins = load_chip("bow").provenance
    assert origins["amp_modes.3.worker_fill_slots"].confidence == "measured"
    assert origins["amp_modes.3.worker_fill_slots"].unit == "slots"
    assert find_provenance(origins, "amp_modes.3.units") == origins["amp_modes"]
    assert find_provenance(origins, "n_tiles") == origins["n_tiles"]
    assert find_provenance(origins, "nothing.here") is None


def test_settings_change_values_and_their_origin() -> None:
    chip = load_chip("bow", ["n_tiles=64", "amp_modes.0.units=32", "tile_sram_bytes=1 MiB", "clock_hz=2e9"])
    assert (chip.n_tiles, chip.amp_modes[0].units, chip.tile_sram_bytes, chip.clock_hz) == (64, 32, 2**20, 2e9)
    assert chip.provenance["n_tiles"] == Provenance("tiles", "--set n_tiles=64", "assumed")
    assert chip.provenance["amp_modes.0.units"].source == "--set amp_modes.0.units=32"
    assert (
        chip.provenance["amp_modes.0.worker_fill_slots"] == load_chip("bow").provenance["amp_modes.0.worker_fill_slots"]
    )


def test_replacing_a_table_forgets_the_origins_of_its_parts() -> None:
    row = {"inputs": "float16", "partials": "float16", "units": 4, "in_channels": 8, "cycles_per_row": 4}
    chip = load_chip("bow", amp_modes=[{**row, "worker_fill_slots": 1}])
    assert [path for path in chip.provenance if path.startswith("amp_modes")] == ["amp_modes"]
    assert chip.peak_flops("float32") == 0.0


def test_replace() -> None:
    bow = load_chip("bow")
    small = bow.replace(n_tiles=64, tile_sram_bytes="1 MiB")
    assert (small.n_tiles, small.tile_sram_bytes, small.clock_hz) == (64, 2**20, bow.clock_hz)
    assert small.provenance["n_tiles"].source == "n_tiles=64"
    assert small.provenance["clock_hz"] == bow.provenance["clock_hz"]
    assert bow.replace(amp_modes=bow.amp_modes).amp_modes == bow.amp_modes
    with pytest.raises(BadInputError) as caught:
        bow.replace(n_tiles=3, n_tile=4)
    assert str(caught.value) == "n_tile=4: n_tile: unknown key (did you mean 'n_tiles'?)"


def test_a_chip_round_trips_through_its_dict() -> None:
    for name in chip_names():
        chip = load_chip(name)
        again = load_chip(chip_to_dict(chip))
        assert again == chip
        assert again.provenance == chip.provenance


def test_content_key_tells_values_not_names_or_origins() -> None:
    bow = load_chip("bow")
    keys = {load_chip(name).content_key() for name in chip_names()}
    assert len(keys) == len(chip_names())
    same = load_chip({"extends": "bow", "name": "other", "n_tiles": 1472, "clock_hz": 1850000000})
    assert same.content_key() == bow.content_key()
    assert hash(same) == hash(bow)
    for field in constant_fields():
        value = getattr(bow, field)
        if isinstance(value, (int, float)) and not isinstance(value, bool):
            assert bow.model_copy(update={field: value + 1}).content_key() != bow.content_key(), field


def test_content_key_is_the_same_in_every_process() -> None:
    code = "from ipusim.chip.load import load_chip; print(load_chip('bow').content_key())"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == load_chip("bow").content_key()


def test_loading_a_chip_imports_nothing_heavy() -> None:
    heavy = ("numba", "scipy", "networkx", "numpy")
    code = "import sys; from ipusim.chip.load import load_chip; load_chip('bow')"
    code += f"; print([m for m in {heavy} if m in sys.modules])"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "[]"


def test_a_chip_is_frozen() -> None:
    with pytest.raises(ValueError, match="frozen"):
        load_chip("bow").n_tiles = 3  # type: ignore[misc]


def test_problems_are_located_where_the_user_wrote() -> None:
    assert failure("bwo") == "bwo: there is no packaged chip of this name (did you mean 'bow'?)"
    assert failure("bow", ["n_tile=3"]) == "--set n_tile=3: n_tile: unknown key (did you mean 'n_tiles'?)"
    assert failure("bow", ["n_tiles=1001"]) == (
        "--set n_tiles=1001: n_tiles: n_tiles (1001) must be a multiple of tiles_per_exchange_bus (2)"
    )
    assert failure("bow", ["amp_modes.0.units=8"]) == (
        "--set amp_modes.0.units=8: amp_modes.0.units: "
        "rows 0 and 1 of amp_modes have the same inputs, partials and units"
    )
    assert failure("bow", ["amp_modes.9.units=8"]) == (
        "--set amp_modes.9.units=8: amp_modes: a list has no item '9' (indices: 0 to 4)"
    )
    assert failure({"extends": "bow", "sram_element_bytes": "40 KiB"}) == (
        "<chip>: sram_element_bytes: tile_sram_bytes (638976) must be a multiple of sram_element_bytes (40960)\n"
        "<chip>: sram_element_bytes: interleaved_sram_bytes (425984) must be a multiple of sram_element_bytes (40960)"
    )
    assert failure({"extends": "bow", "n_tiles": 0}, ["clock_hz=1 MiB"], sync_cycles=-1).splitlines() == [
        "<chip>: n_tiles: must be at least 1, found 0",
        "--set clock_hz=1 MiB: clock_hz: MiB is a unit of bytes; this field takes a frequency "
        "(units of frequency: Hz, kHz, MHz or GHz)",
        "sync_cycles=-1: sync_cycles: must be at least 0, found -1",
    ]
    assert failure("bow", sync_cycles={1, 2}) == "sync_cycles={1, 2}: sync_cycles: a set cannot stand in a file"


def test_a_mapping_that_extends_something_unknown_says_so() -> None:
    assert failure({"extends": "tinny"}) == (
        "<chip>: extends: tinny: there is no packaged chip of this name (did you mean 'tiny'?)"
    )
    assert failure({"extends": ""}) == "<chip>: extends: expected the name or the path of a chip"


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8) | st.sampled_from(["1/4", "3 KiB"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["value", "source", "units", "inputs", "float16"]), inner, max_size=3)
    ),
    max_leaves=6,
)
KEYS = st.sampled_from([*constant_fields(), "name", "description", "n_tile"])


@settings(max_examples=200)
@given(st.dictionaries(KEYS, VALUES, max_size=4))
def test_any_mapping_is_a_chip_or_bad_input(data: dict[str, Any]) -> None:
    try:
        result: object = load_chip({"extends": "bow", **data})
    except BadInputError as error:
        result = error.problems
    assert isinstance(result, Chip) or len(result) >= 1  # type: ignore[arg-type]
