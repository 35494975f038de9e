"""Levers that the compiler takes: only where a workload does not fit, the cheapest first, and none too many."""

import pytest
from handmade import document, problem_of

import ipusim
from ipusim.chip.load import load_chip
from ipusim.errors import BadInputError
from ipusim.pipeline.compiling import compile_workload
from ipusim.report.terminal import render_run

TINY = load_chip("tiny")
WITH_DRAM = load_chip("tiny", dram_bytes=2**20, dram_bytes_per_s=2e9)


def chain(layers, levers="auto"):
    """Return square products of 32 x 32 in half precision, each followed by a relu: 512 B of weights on each tile."""
    tensors = {"x0": {"shape": [32, 32]}} | {f"w{number}": {"shape": [32, 32]} for number in range(layers)}
    ops = []
    for number in range(layers):
        inputs = [f"w{number}", f"x{number}"]
        ops.append({"op": "matmul", "inputs": inputs, "output": f"h{number}", "partials": "float16"})
        ops.append({"op": "relu", "inputs": [f"h{number}"], "output": f"x{number + 1}"})
    return {
        "name": "chain",
        "dtype": "float16",
        "tensors": tensors,
        "ops": ops,
        "outputs": [f"x{layers}"],
        "compile": {"levers": levers},
    }


def kinds(compiled):
    return [lever.kind for lever in compiled.levers_taken]


def test_what_fits_is_left_alone():
    assert compile_workload(chain(4), TINY).levers_taken == ()
    run = ipusim.simulate(chain(4), TINY)
    assert run.to_dict()["levers_taken"] == []
    assert "What the compiler did" not in render_run(run.to_dict())


def test_a_product_gets_less_temporary_memory():
    workload = document(problem_of(80, 80, 80))
    before = compile_workload({**workload, "compile": {"levers": "none"}}, TINY)
    after = compile_workload(workload, TINY)
    assert not before.fits
    assert after.fits
    assert kinds(after) == ["temporaries"]
    (plan,) = after.plans.values()
    assert plan.estimate.temporary_bytes <= min(after.choice.temporaries.values())
    assert after.levers_taken[0].added_cycles == max(0, plan.cycles - next(iter(before.plans.values())).cycles)


def test_repeated_layers_share_code_where_that_is_enough():
    # Code of 44 B or more for each layer: a chip on which 16 layers do not fit by a little.
    need = compile_workload(chain(16, "none"), TINY).memory.max_tile_bytes
    small = TINY.replace(tile_sram_bytes=need - 256, interleaved_sram_bytes=0, sram_element_bytes=1)
    compiled = compile_workload(chain(16, ["outline"]), small)
    assert compiled.fits
    assert kinds(compiled) == ["outline"]
    assert not compile_workload(chain(16, "none"), small).fits


def test_weights_stream_where_nothing_else_is_enough():
    # 40 layers of 512 B are more than a tile has.
    compiled = compile_workload(chain(40), WITH_DRAM)
    assert compiled.fits
    assert "stream" in kinds(compiled)
    assert not compile_workload(chain(40), TINY).fits
    run = ipusim.simulate(chain(40), WITH_DRAM, explain=False)
    assert run.infeasible is None
    taken = run.to_dict()["levers_taken"]
    assert [entry["lever"] for entry in taken] == kinds(compiled)
    text = render_run(run.to_dict())
    assert "What the compiler did to make it fit" in text
    assert max(len(line) for line in text.splitlines()) <= 80


def test_a_result_is_computed_again_where_it_would_wait():
    # `a` = relu(x) waits through a product with large operands for its second reader.
    workload = {
        "name": "waits",
        "dtype": "float16",
        "tensors": {"x": {"shape": [64, 64]}, "w": {"shape": [64, 64]}, "v": {"shape": [64, 64]}},
        "ops": [
            {"op": "relu", "inputs": ["x"], "output": "a"},
            {"op": "sum", "inputs": ["a"], "output": "s"},
            {"op": "matmul", "inputs": ["w", "v"], "output": "p", "partials": "float16"},
            {"op": "sum", "inputs": ["p"], "output": "t"},
            {"op": "exp", "inputs": ["a"], "output": "y"},
            {"op": "sum", "inputs": ["y"], "output": "u"},
        ],
        "outputs": ["s", "t", "u"],
        "compile": {"levers": "none"},
    }
    need = compile_workload(workload, TINY.replace(tile_sram_bytes="1 MiB")).memory.max_tile_bytes
    small = TINY.replace(tile_sram_bytes=need - 1024, interleaved_sram_bytes=0, sram_element_bytes=1)
    workload["compile"] = {"levers": ["recompute"]}
    compiled = compile_workload(workload, small)
    assert compiled.fits
    assert kinds(compiled) == ["recompute"]
    assert compiled.levers_taken[0].targets == ("a",)
    assert compiled.repeated == ("a#again",)
    run = ipusim.simulate(workload, small, execute=True, verify=True, explain=False)
    assert run.check["passed"]
    assert run.flops == ipusim.simulate(workload, "bow", explain=False).flops


@pytest.mark.parametrize("levers", ["some", ["outline", "magic"], 3])
def test_a_wrong_word_is_a_located_error(levers):
    with pytest.raises(BadInputError, match="levers"):
        compile_workload(chain(1, levers), TINY)
