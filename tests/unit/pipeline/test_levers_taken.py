"""Levers that the compiler takes: only where a workload does not fit, the cheapest first, and none too many."""

from dataclasses import replace

import pytest
from handmade import document, problem_of

import ipusim
from ipusim.chip.load import load_chip
from ipusim.errors import BadInputError
from ipusim.frontends.build import build_graph
from ipusim.frontends.entries import CompileEntry
from ipusim.ir.tensor import Sparsity
from ipusim.lower.printer import print_program
from ipusim.pipeline.choice import Choice, Lever
from ipusim.pipeline.compiling import compile_graph, compile_workload
from ipusim.pipeline.recomputing import SUFFIX
from ipusim.pipeline.remembering import fitting_key, read_levers, write_levers
from ipusim.plan.cache import write_entry
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


def test_a_trial_keeps_what_the_program_before_it_has_in_common():
    need = compile_workload(chain(16, "none"), TINY).memory.max_tile_bytes
    small = TINY.replace(tile_sram_bytes=need - 256, interleaved_sram_bytes=0, sram_element_bytes=1)
    taken = compile_workload(chain(16, ["outline"]), small)
    again = compile_graph(taken.workload, small, build_graph(taken.workload), choice=taken.choice)
    assert taken.choice.outlined
    assert print_program(taken.program) == print_program(again.program)
    assert list(taken.program.variables) == list(again.program.variables)
    assert (taken.memory.peak_bytes == again.memory.peak_bytes).all()
    assert (taken.plans, taken.layout) == (again.plans, again.layout)


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


def test_levers_are_found_once(tmp_path, monkeypatch):
    monkeypatch.setattr("ipusim.plan.cache.cache_folder", lambda: tmp_path)
    workload = {**chain(40), "name": "remembered"}
    found = compile_workload(workload, WITH_DRAM)
    with monkeypatch.context() as patched:
        patched.setattr("ipusim.pipeline.fitting.fit", None)
        again = compile_workload(workload, WITH_DRAM)
    assert again.choice == found.choice
    assert again.levers_taken == found.levers_taken
    assert again.memory.max_tile_bytes == found.memory.max_tile_bytes
    assert kinds(compile_workload(chain(40, ["temporaries"]), WITH_DRAM)) != kinds(found)


def test_levers_of_every_kind_are_remembered(tmp_path, monkeypatch):
    monkeypatch.setattr("ipusim.plan.cache.cache_folder", lambda: tmp_path)
    graph = compile_workload(chain(2), TINY).graph
    first, second = graph.ops[0].name, graph.ops[2].name
    choice = Choice({first: 96, second: 128}, True, {"x1": (second,)}, frozenset({"w0", "w1"}))
    levers = (
        Lever("temporaries", (first,), 7, 96),
        Lever("outline", (first, f"{second}{SUFFIX}"), 5),
        Lever("recompute", ("x1",), 3),
        Lever("stream", ("w0", "w1"), 1),
    )
    write_levers(("a key",), graph, choice, levers)
    assert read_levers(("a key",), graph) == (choice, levers)
    assert read_levers(("another key",), graph) is None
    write_entry(("damaged",), ((1, 10**6, 96),), 0)
    assert read_levers(("damaged",), graph) is None


def test_levers_are_searched_anew_where_the_pattern_is_in_a_file():
    graph = compile_workload(chain(2), TINY).graph
    options = CompileEntry()
    assert fitting_key(graph, TINY, options) is not None
    sparse = replace(graph.tensors["w0"], sparsity=Sparsity(0.5, pattern="file"))
    assert fitting_key(replace(graph, tensors={**graph.tensors, "w0": sparse}), TINY, options) is None
