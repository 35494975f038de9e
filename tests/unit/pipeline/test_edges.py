"""What only few runs meet: formats that a chip lacks, too little memory to execute, runs without a program."""

from __future__ import annotations

import signal
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from handmade import document, problem_of

import ipusim
from ipusim.chip.load import load_chip
from ipusim.errors import BadInputError
from ipusim.frontends.build import build_graph
from ipusim.frontends.workload import load_workload
from ipusim.pipeline import executing, infeasible, processes
from ipusim.pipeline.compiling import compile_workload
from ipusim.pipeline.errors import reference_outputs
from ipusim.pipeline.formats import format_problems
from ipusim.pipeline.infeasible_dram import larger_dram
from ipusim.pipeline.insight import insights

TINY = load_chip("tiny")
SMALL = {"name": "small", "dtype": "float16", "tensors": {"x": {"shape": [4, 4]}}}


def places(**changes: Any) -> list[str]:
    workload = load_workload(SMALL | changes)
    return [problem.path for problem in format_problems(workload, load_chip("bow"), build_graph(workload))]


def test_a_format_that_the_chip_lacks_is_told_where_the_file_asks_for_it() -> None:
    relu = {"op": "relu", "inputs": ["x"], "output": "y"}
    cast = {"op": "cast", "inputs": ["y"], "output": "z", "to": "float8_e4m3fnuz"}
    assert places(ops=[relu]) == []
    assert places(ops=[relu], tensors={"x": {"shape": [4, 4], "dtype": "float8_e5m2fnuz"}}) == ["tensors.x.dtype"]
    assert places(ops=[relu, cast]) == ["ops.1.to"]
    assert places(ops=[relu], dtype="float8_e4m3fnuz") == ["dtype"]


def test_whole_numbers_are_exact_in_the_reference() -> None:
    tensors = {
        "t": {"shape": [5, 3]},
        "i": {"shape": [4], "dtype": "int32", "init": {"integers": {"below": 5}}},
    }
    ops = [{"op": "gather", "inputs": ["t", "i"], "output": "y"}]
    graph = build_graph(load_workload({"name": "g", "dtype": "float16", "tensors": tensors, "ops": ops}))
    table = reference_outputs(build_graph(load_workload({**SMALL, "tensors": {"t": tensors["t"]}, "ops": [
        {"op": "add", "inputs": ["t", "t"], "output": "y"}]})))["y"] / 2  # fmt: skip
    rows = reference_outputs(graph)["y"]
    assert rows.shape == (4, 3)
    assert all(any(np.array_equal(row, each) for each in table) for row in rows)


def test_what_this_machine_cannot_hold_is_not_executed(monkeypatch: pytest.MonkeyPatch) -> None:
    # two operands and a result of 64 x 64, and the operands twice more as they come: at least 5 * 4096 floats
    workload = document(problem_of(64, 64, 64, "float16"))
    monkeypatch.setattr(executing.psutil, "virtual_memory", lambda: SimpleNamespace(available=20 * 4096))
    with pytest.raises(BadInputError, match=r"executing it takes about .* GiB, this machine has .* GiB free"):
        ipusim.simulate(workload, load_chip("tiny", tile_sram_bytes="1 MiB"), execute=True)


def test_a_run_that_does_not_fit_has_no_pictures() -> None:
    run = ipusim.simulate(document(problem_of(256, 256, 256, "float32")), TINY, explain=False)
    assert run.infeasible is not None
    assert (run.profile, run.outline, run.to_chrome_trace(), run.uncertainty) == (None, None, None, None)
    assert insights(run.compiled, 0) == ()


def test_a_run_that_fits_has_them() -> None:
    tensors = {"w": {"shape": [16, 16]}, "x": {"shape": [16, 8]}}
    ops = [
        {"op": "matmul", "inputs": ["w", "x"], "output": "y"},
        {"op": "relu", "inputs": ["y"], "output": "z"},
    ]
    run = ipusim.simulate({"name": "two", "dtype": "float16", "tensors": tensors, "ops": ops}, TINY)
    profile, outline, trace = run.profile, run.outline, run.to_chrome_trace()
    assert profile is not None
    assert outline is not None
    assert trace is not None
    assert "two on tiny" in trace


def test_products_in_batches_were_never_measured() -> None:
    run = ipusim.simulate(document(problem_of(16, 16, 16, "float16", groups=2)), TINY)
    assert run.uncertainty is not None
    assert "dense matmul was never measured in batches" in str(run.uncertainty)


def test_other_ways_for_products_that_no_vertex_has() -> None:
    compiled = compile_workload(document(problem_of(16, 16, 16, "float16")), TINY)
    ways = infeasible._other_ways(compiled, "no_sparse_vertex", True)
    assert [way.partition(":")[0] for way in ways] == ["formats that they can"]
    assert infeasible._other_ways(compiled, "offsets", False) == []
    assert "float16 with float16 partials" in infeasible._other_ways(compiled, "no_amp", True)[0]


def test_a_larger_dram_is_offered_only_where_it_is_too_small() -> None:
    chip = load_chip("tiny", dram_bytes=2**20, dram_bytes_per_s=2e9)
    assert larger_dram(compile_workload(document(problem_of(16, 16, 16, "float16")), chip)) == []


def test_smaller_temporaries_are_searched_below_what_the_file_says(monkeypatch: pytest.MonkeyPatch) -> None:
    workload = {**document(problem_of(16, 16, 16, "float16")), "compile": {"available_memory_proportion": 0.2}}
    compiled = compile_workload(workload, TINY)
    tried: list[float] = []

    def compile_graph(_workload: Any, _chip: Any, _graph: Any, proportion: float, **_: Any) -> Any:
        tried.append(proportion)
        return SimpleNamespace(fits=proportion < 0.1)

    monkeypatch.setattr(infeasible, "compile_graph", compile_graph)
    monkeypatch.setattr(infeasible, "_too_much_without_temporaries", lambda _: False)
    found = infeasible._smaller_temporaries(compiled)
    assert tried == [0.1, 0.05]
    assert [lever.partition("=")[2] for lever in found] == ["0.05"]


def test_a_process_of_a_sweep_ends_at_once_when_told() -> None:
    before = signal.signal(signal.SIGTERM, signal.SIG_IGN)
    try:
        processes.end_when_told()
        assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL
    finally:
        signal.signal(signal.SIGTERM, before)
