"""Timing a program again with what is known of its parts."""

import pytest

from ipusim.chip.load import load_chip
from ipusim.engine.known_costs import BETWEEN_TILES, KnownCosts, constants_of_vertices
from ipusim.engine.timing import time_program
from ipusim.pipeline.compiling import compile_workload

CHIP = load_chip("bow", n_tiles=32)
CHANGES = {
    "exchange_bytes_per_cycle": 8,
    "exchange_bus_rate_factor": 1,
    "exchange_gather_sharing": True,
    "exchange_bus_sharing": False,
    "exchange_mux_cycles": 500,
    "exchange_tail_cycles": 70,
    "exchange_row_cycles": 30,
    "exchange_control_cycles_per_fragment": 900,
    "exchange_phase_overhead_cycles": 7,
    "exchange_bucket_gap_cycles": 1000,
    "sync_cycles": 1,
    "tiles_per_exchange_bus": 4,
    "worker_contexts": 3,
    "compute_set_overhead_cycles": 17,
}


def _program(mode):
    weight = {"shape": [256, 256]} | ({"sparsity": {"density": "1/8", "block_size": 4, "mode": mode}} if mode else {})
    workload = {
        "name": "again",
        "dtype": "float16",
        "tensors": {"w": weight, "x": {"shape": [256, 64]}},
        "ops": [
            {"op": "matmul", "inputs": ["w", "x"], "output": "p"},
            {"op": "softmax", "inputs": ["p"], "output": "y"},
        ],
    }
    program = compile_workload(workload, CHIP).program
    assert program is not None
    return program


@pytest.mark.parametrize("mode", ["", "static", "dynamic"])
def test_what_is_known_changes_no_cycle(mode):
    program = _program(mode)
    known = KnownCosts(program)
    time_program(program, CHIP, known=known)
    for name, value in CHANGES.items():
        chip = CHIP.replace(**{name: value})
        fresh, again = time_program(program, chip), time_program(program, chip, known=known)
        assert again.terms() == fresh.terms(), name
        assert again.by_phase() == fresh.by_phase(), name


def test_vertices_know_every_constant_but_those_between_tiles():
    for name, value in CHANGES.items():
        alike = constants_of_vertices(CHIP.replace(**{name: value})) == constants_of_vertices(CHIP)
        assert alike == name.startswith(BETWEEN_TILES), name
    between = {name for name in type(CHIP).model_fields if name.startswith(BETWEEN_TILES)}
    assert {name for name in between - set(CHANGES) if "instruction" not in name} == {
        "exchange_energy_per_byte_j",
        "exchange_area_um2_per_crosspoint",
    }


def test_amp_modes_are_constants_of_vertices():
    slower = [mode.model_dump(mode="json") | {"worker_fill_slots": 90} for mode in CHIP.amp_modes]
    program = _program("")
    known = KnownCosts(program)
    before = time_program(program, CHIP, known=known).cycles
    chip = CHIP.replace(amp_modes=slower)
    assert time_program(program, chip, known=known).cycles == time_program(program, chip).cycles > before
