"""Operands that stream in from DRAM: worked out on the tiny chip, and what streaming may never do."""

from dataclasses import replace
from itertools import pairwise

import pytest

import ipusim
from ipusim.chip.load import load_chip
from ipusim.engine.memory import map_memory
from ipusim.engine.prefetching import with_room
from ipusim.engine.streaming import beside_stream
from ipusim.engine.timing import time_program
from ipusim.errors import VerifierError
from ipusim.lower.printer import print_program
from ipusim.lower.verify import verify_program
from ipusim.pipeline.compiling import compile_workload

TINY = load_chip("tiny", dram_bytes=2**20, dram_bytes_per_s=2e9)
STACKED = TINY.replace(dram_stacked=True)
DRAM = {"memory": "dram"}
WEIGHT_BYTES = 64 * 32 * 2


def chain(layers=4, memory="dram", rows=(64, 32)):
    """Return products with weights of 64 x 32 and 32 x 64 in turn, for a batch of 16."""
    tensors = {"x": {"shape": [rows[1], 16]}}
    ops = []
    for number in range(1, layers + 1):
        shape = [rows[0], rows[1]] if number % 2 else [rows[1], rows[0]]
        tensors[f"w{number}"] = {"shape": shape, "memory": memory}
        source = f"h{number - 1}" if number > 1 else "x"
        ops.append({"op": "matmul", "inputs": [f"w{number}", source], "output": f"h{number}"})
    return {"name": "chain", "dtype": "float16", "tensors": tensors, "ops": ops, "outputs": [f"h{layers}"]}


def _steps(workload, chip):
    compiled = compile_workload(workload, chip)
    return time_program(compiled.program, chip).steps


def _streams(steps):
    return [step for step in steps if step.name.endswith("/stream")]


def test_each_operand_streams_once_before_its_op():
    # 64 x 32 elements of 2 B at 2 B per cycle (2 GB/s at 1 GHz): 2048 cycles, after an external sync of 10.
    # A tile's share of 1024 B would take 256 cycles at 4 B per cycle.
    steps = _steps(chain(), TINY)
    assert [step.name for step in _streams(steps)] == ["h1/stream", "h2/stream", "h3/stream", "h4/stream"]
    for step in _streams(steps):
        assert (step.count, step.compute_cycles, step.sync_cycles, step.exchange_cycles) == (1, 0, 10, 2048)
        assert step.terms == {"external sync": 10, "dram": 2048}
        assert step.bytes_received.tolist() == [WEIGHT_BYTES // 4] * 4
        assert (step.dram_bytes, int(step.bytes_sent.sum())) == (WEIGHT_BYTES, 0)
    resident = _steps(chain(memory="sram"), TINY)
    assert sum(step.cycles * step.count for step in steps) == sum(s.cycles * s.count for s in resident) + 4 * 2058


def test_a_tile_receives_no_faster_than_its_exchange():
    # 100 GB/s would take 41 cycles; a tile's share of 1024 B takes 256 at 4 B per cycle.
    steps = _steps(chain(layers=1), TINY.replace(dram_bytes_per_s=100e9))
    assert _streams(steps)[0].exchange_cycles == 256


def test_stacked_it_is_hidden_beside_what_runs_since_the_stream_before():
    # At 0.5 B per cycle a weight takes 8192 cycles. The first has nothing to hide behind.
    slow = {"dram_bytes_per_s": 0.5e9}
    steps = _steps(chain(), STACKED.replace(**slow))
    assert [step.exchange_cycles for step in _steps(chain(), TINY.replace(**slow)) if step.dram_bytes] == [8192] * 4
    expected, beside = [8192], 0
    for step in steps[1:]:
        if step.dram_bytes:
            expected.append(max(0, 8192 - beside))
            beside = 0
        else:
            beside += step.cycles * step.count
    assert [step.exchange_cycles for step in _streams(steps)] == expected
    # h1 takes 778 for its exchange, 5307 for its product and 180 for its cast.
    assert expected[1] == 8192 - (778 + 5307 + 180)
    assert all(step.sync_cycles == 10 for step in _streams(steps))


@pytest.mark.parametrize("rate", [0.1e9, 0.6e9, 2e9, 64e9])
def test_overlap_is_never_slower(rate):
    apart, beside = (
        sum(step.cycles * step.count for step in _steps(chain(), chip.replace(dram_bytes_per_s=rate)))
        for chip in (TINY, STACKED)
    )
    assert beside <= apart
    assert beside < apart or rate > 10e9


def test_weights_that_do_not_fit_together_do_one_after_the_other():
    # Ten weights of 4 KiB: 10 KiB of each tile's 16 KiB, beside which the operands of a product have no room.
    resident = compile_workload({**chain(10, "sram"), "compile": {"levers": "none"}}, TINY)
    streamed = compile_workload(chain(10), TINY)
    assert not resident.fits
    assert streamed.fits
    assert streamed.dram_bytes == 10 * WEIGHT_BYTES
    held = [item for item in streamed.memory.allocations if item.category == "streamed"]
    assert [item.name for item in held] == [f"w{number}" for number in range(1, 11)]
    assert all(item.bytes_on_tile.tolist() == [WEIGHT_BYTES // 4] * 4 for item in held)
    assert all(one.last < other.first for one, other in pairwise(held))


def test_a_second_buffer_takes_its_room():
    apart, beside = (compile_workload(chain(), chip) for chip in (TINY, STACKED))
    held = [item for item in beside.memory.allocations if item.category == "streamed"]
    steps = [step for step, _ in beside.program.supersteps()]
    streams = [index for index, step in enumerate(steps) if step.streams]
    # Each comes in from the moment that the one before is complete.
    assert [item.first for item in held] == [0, *(index + 1 for index in streams[:-1])]
    assert beside.memory.max_tile_bytes == apart.memory.max_tile_bytes + WEIGHT_BYTES // 4


def test_without_room_for_a_second_buffer_it_waits():
    early = compile_workload(chain(), STACKED).program
    need = compile_workload(chain(), TINY).memory.max_tile_bytes
    chip = STACKED.replace(tile_sram_bytes=-(-need // 1024) * 1024, interleaved_sram_bytes=0)
    assert not map_memory(early, chip).fits
    program, memory = with_room(early, chip)
    assert memory.fits
    streams = [step.early for step, _ in program.supersteps() if step.streams]
    assert not all(streams)
    # What is hidden beside h1 has room: h1 needs less than h2.
    assert any(streams[1:])
    assert time_program(program, chip).cycles > time_program(early, chip).cycles
    # Where nothing helps, that is said.
    assert not with_room(early, chip.replace(tile_sram_bytes=1024))[1].fits


_NETWORKS = {
    "shared": (
        {"w": {"shape": [16, 16], **DRAM}, "x": {"shape": [16, 8]}},
        [
            {"op": "matmul", "inputs": ["w", "x"], "output": "h"},
            {"op": "matmul", "inputs": ["w", "h"], "output": "y"},
        ],
        ["h/stream", "y/stream"],
    ),
    "twice in one op": (
        {"w": {"shape": [16, 16], **DRAM}},
        [{"op": "matmul", "inputs": ["w", "w"], "output": "y"}],
        ["y/stream"],
    ),
    "moved and broadcast": (
        {"a": {"shape": [16, 8], **DRAM}, "x": {"shape": [16, 8]}, "b": {"shape": [8, 1], **DRAM}},
        [
            {"op": "transpose", "inputs": ["a"], "output": "t"},
            {"op": "matmul", "inputs": ["t", "x"], "output": "h"},
            {"op": "add", "inputs": ["h", "b"], "output": "y"},
        ],
        ["h/stream", "y/stream"],
    ),
    "view asked for": (
        {"a": {"shape": [16, 8], **DRAM}},
        [
            {"op": "relu", "inputs": ["a"], "output": "r"},
            {"op": "reshape", "inputs": ["a"], "output": "y", "shape": [8, 16]},
        ],
        ["r/stream", "y/stream"],
    ),
    "convolution": (
        {"w": {"shape": [8, 4, 3, 3], **DRAM}, "x": {"shape": [1, 4, 8, 8], **DRAM}},
        [{"op": "conv2d", "inputs": ["x", "w"], "output": "y"}],
        ["y/stream"],
    ),
}


@pytest.mark.parametrize("chip", [TINY, STACKED], ids=["beside", "stacked"])
@pytest.mark.parametrize("name", _NETWORKS)
def test_values_and_copies_are_right(name, chip):
    tensors, ops, streams = _NETWORKS[name]
    outputs = [op["output"] for op in ops if op["output"] in ("r", "y")]
    workload = {"name": "net", "dtype": "float16", "tensors": tensors, "ops": ops, "outputs": outputs}
    run = ipusim.simulate(workload, chip, execute=True, verify=True, explain=False)
    assert run.infeasible is None
    assert run.check["passed"]
    assert [step.name for step in _streams(run.trace.steps)] == streams
    everything = {
        name: {key: part for key, part in entry.items() if key != "memory"} for name, entry in tensors.items()
    }
    resident = ipusim.simulate(workload | {"tensors": everything}, chip, execute=True, explain=False)
    for output in outputs:
        assert (run.outputs[output] == resident.outputs[output]).all()


@pytest.mark.parametrize("mode", ["static", "dynamic"])
def test_the_dense_operand_of_a_sparse_product_streams(mode):
    tensors = {
        "w": {"shape": [64, 64], "sparsity": {"density": "1/4", "block_size": 4, "mode": mode}},
        "x": {"shape": [64, 8], **DRAM},
    }
    ops = [{"op": "matmul", "inputs": ["w", "x"], "output": "y", "partials": "float32"}]
    workload = {"name": "sparse", "dtype": "float16", "tensors": tensors, "ops": ops, "outputs": ["y"]}
    run = ipusim.simulate(workload, "bow", execute=True, verify=True, explain=False)
    assert run.check["passed"]
    assert [step.dram_bytes for step in run.trace.steps if step.dram_bytes] == [64 * 8 * 2]


def test_energy_of_what_is_read():
    # 4 weights of 4096 B at 100 pJ per byte; their way through the exchange and into SRAM is charged as received.
    run = ipusim.simulate(chain(), TINY, explain=False)
    resident = ipusim.simulate(chain(memory="sram"), TINY, explain=False)
    assert run.energy_by_component["dram"] == pytest.approx(4 * 4096 * 100e-12)
    assert resident.energy_by_component["dram"] == 0
    more = run.energy_by_component["exchange"] - resident.energy_by_component["exchange"]
    assert more == pytest.approx(4 * 4096 / 2 * 10e-12)
    unknown = ipusim.simulate(chain(), TINY.replace(dram_energy_per_byte_j=None), explain=False)
    assert unknown.energy_j is None
    assert unknown.energy_note == "the chip has no dram_energy_per_byte_j"
    assert ipusim.simulate(chain(memory="sram"), TINY.replace(dram_energy_per_byte_j=None), explain=False).energy_j


def test_the_listing_shows_it():
    listing = print_program(compile_workload(chain(), STACKED).program)
    assert "w1: float16[1x64x32] streamed" in listing
    assert "stream   w2 from DRAM: 4096 bytes, while the tiles compute" in listing
    assert "stream   w2 from DRAM: 4096 bytes\n" in print_program(compile_workload(chain(), TINY).program)


def test_what_a_stream_may_not_be():
    program = compile_workload(chain(2), TINY).program
    index, stream = next((number, step) for number, step in enumerate(program.steps) if step.streams)
    other = next(step for step in program.steps if getattr(step, "compute", ()))
    for wrong, words in (
        (replace(stream, streams=("w9",)), "w9, which is not declared"),
        (replace(stream, compute=other.compute), "streams beside its own"),
    ):
        steps = (*program.steps[:index], wrong, *program.steps[index + 1 :])
        with pytest.raises(VerifierError, match=words):
            verify_program(replace(program, steps=steps))
    with pytest.raises(ValueError, match="no dram_bytes_per_s"):
        time_program(program, load_chip("tiny"))
    assert beside_stream([stream], 0) == range(0)
    assert map_memory(program, TINY).fits
