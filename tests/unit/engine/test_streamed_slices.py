"""An operand larger than all the SRAM, slice by slice from DRAM: worked out on the tiny chip."""

import pytest

import ipusim
from ipusim.chip.load import load_chip
from ipusim.engine.execution import execute_program
from ipusim.engine.memory import map_memory
from ipusim.engine.prefetching import with_room
from ipusim.engine.residency import Residency
from ipusim.engine.timing import time_program
from ipusim.errors import ResidencyError
from ipusim.frontends.values import tensor_values
from ipusim.ir.program import Repeat
from ipusim.lower.printer import print_program
from ipusim.pipeline.compiling import compile_workload
from ipusim.report.timeline import program_loops, timeline

TINY = load_chip("tiny", dram_bytes=2**20, dram_bytes_per_s=0.125e9)
STACKED = TINY.replace(dram_stacked=True)
WEIGHT_BYTES = 256 * 256 * 2
# 128 KiB, twice the SRAM of all tiles; at 1/8 B per cycle (0.125 GB/s at 1 GHz) 2^20 cycles.
GIANT = {
    "name": "giant",
    "dtype": "float16",
    "tensors": {"w": {"shape": [256, 256], "memory": "dram"}, "x": {"shape": [256, 8]}},
    "ops": [{"op": "matmul", "inputs": ["w", "x"], "output": "y", "partials": "float16"}],
    "outputs": ["y"],
}


def loop_of(compiled):
    return next(step for step in compiled.program.steps if isinstance(step, Repeat))


def streams(compiled):
    steps = time_program(compiled.program, compiled.chip).steps
    return [step for step in steps if step.dram_bytes]


def test_each_slice_comes_in_before_its_iteration():
    compiled = compile_workload(GIANT, TINY)
    assert compiled.fits
    slices = loop_of(compiled).count
    assert slices >= 4  # a quarter of the weight is half of the SRAM
    (stream,) = streams(compiled)
    assert (stream.count, stream.sync_cycles, stream.exchange_cycles) == (slices, 10, 2**20 // slices)
    held = [item for item in compiled.memory.allocations if item.category == "streamed"]
    assert [item.bytes_on_tile.tolist() for item in held] == [[WEIGHT_BYTES // 4 // slices] * 4]
    assert f"one of {slices} slices of w from DRAM" in print_program(compiled.program)


def test_stacked_each_slice_comes_in_beside_the_iteration_before():
    compiled = compile_workload(GIANT, STACKED)
    assert compiled.fits
    slices = loop_of(compiled).count
    full = 2**20 // slices
    steps = time_program(compiled.program, STACKED).steps
    beside = sum(step.cycles for step in steps if step.count == slices)
    first, ahead = streams(compiled)
    # The first slice has nothing to hide behind; each of the others hides behind one iteration of the loop.
    assert (first.count, first.exchange_cycles) == (1, full)
    assert (ahead.count, ahead.exchange_cycles) == (slices - 1, max(0, full - beside))
    assert 0 < beside < full
    held = [item for item in compiled.memory.allocations if item.category == "streamed"]
    assert [item.bytes_on_tile.tolist() for item in held] == [[2 * WEIGHT_BYTES // 4 // slices] * 4]


def test_beside_a_fast_dram_only_the_first_slice_is_seen():
    # 64 GB/s: the weight in 2,048 cycles, or a tile's share of it at 4 B per cycle in 8,192.
    fast = STACKED.replace(dram_bytes_per_s=64e9)
    first, ahead = streams(compile_workload(GIANT, fast))
    assert first.exchange_cycles == 8192 // (ahead.count + 1)
    assert ahead.exchange_cycles == 0


def test_the_time_is_that_of_the_bytes():
    apart, beside = (time_program(compile_workload(GIANT, chip).program, chip).cycles for chip in (TINY, STACKED))
    assert 2**20 < beside < apart
    assert beside < 1.1 * 2**20


@pytest.mark.parametrize("chip", [TINY, STACKED])
def test_values_are_right_and_only_the_slice_is_there(chip):
    run = ipusim.simulate(GIANT, chip, execute=True, verify=True, explain=False)
    assert run.check["passed"]
    loop = run.compiled.program
    assert sum(step.cycles * step.count for step in run.trace.steps) == run.cycles
    last = timeline(run.trace, program_loops(loop), 10_000)[-1]
    assert last.start + run.trace.steps[last.index].cycles == run.cycles


def test_a_slice_that_comes_late_is_noticed(monkeypatch):
    compiled = compile_workload(GIANT, TINY)
    values = {name: tensor_values(compiled.graph.tensors[name], 0) for name in compiled.graph.inputs}
    on_time = Residency._copies_at
    monkeypatch.setattr(Residency, "_copies_at", lambda self, variable, at: on_time(self, variable, max(0, at - 1)))
    with pytest.raises(ResidencyError, match="w"):
        execute_program(compiled.program, values, 1, verify=True)


def test_without_room_for_two_slices_there_is_one():
    program = compile_workload(GIANT, STACKED).program
    need = compile_workload(GIANT, TINY).memory.max_tile_bytes
    assert need < map_memory(program, STACKED).max_tile_bytes
    chip = STACKED.replace(tile_sram_bytes=need, interleaved_sram_bytes=0, sram_element_bytes=1)
    fewer, memory = with_room(program, chip)
    assert memory.fits
    assert [step.name for step in time_program(fewer, chip).steps if step.dram_bytes] == ["y/stream"]


def test_what_fits_comes_in_at_once():
    small = {**GIANT, "tensors": {"w": {"shape": [32, 256], "memory": "dram"}, "x": {"shape": [256, 8]}}}
    assert not any(isinstance(step, Repeat) for step in compile_workload(small, TINY).program.steps)
    (stream,) = streams(compile_workload(small, TINY))
    assert (stream.count, stream.dram_bytes) == (1, 32 * 256 * 2)
