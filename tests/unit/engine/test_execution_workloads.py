"""Compiled workloads, executed with the residency check on and every op compared with its reference."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ipusim.engine.check import OpChecker
from ipusim.engine.execution import execute_program
from ipusim.frontends.values import tensor_values
from ipusim.pipeline.compiling import compile_workload


def workload(shapes, *ops, dtype="float16"):
    return {
        "name": "test",
        "dtype": dtype,
        "tensors": {name: {"shape": list(shape)} for name, shape in shapes.items()},
        "ops": [dict(zip(("op", "inputs", "output"), op[:3], strict=True), **dict(op[3:])) for op in ops],
        "outputs": [ops[-1][2]],
    }


def run(document, chip, threads=1, verify=True):
    compiled = compile_workload(document, chip)
    assert compiled.program is not None
    graph = compiled.graph
    values = {name: tensor_values(graph.tensors[name], graph.seed) for name in graph.inputs}
    checker = OpChecker(graph, compiled.program)
    outputs = execute_program(compiled.program, values, threads, verify, after_op=checker.after_op)
    return outputs[graph.outputs[0]], checker.result()


def matmul(m, k, n, dtype, partials, *attrs):
    return workload(
        {"w": (m, k), "x": (k, n)}, ("matmul", ["w", "x"], "y", ("partials", partials), *attrs), dtype=dtype
    )


DOT = ("matmul", ["w", "x"], "y")
WORKLOADS = {
    "left transposed": workload({"w": (24, 16), "x": (24, 20)}, (*DOT, ("transpose_a", True))),
    "right transposed": workload({"w": (16, 24), "x": (20, 24)}, (*DOT, ("transpose_b", True))),
    "batched": workload({"w": (3, 16, 24), "x": (3, 24, 20)}, DOT),
    "batch on the left": workload({"w": (3, 16, 24), "x": (24, 20)}, DOT),
    "batch on the right": workload({"w": (16, 24), "x": (3, 24, 20)}, DOT),
    "bias and relu": workload(
        {"w": (16, 24), "x": (24, 20), "b": (20,)}, DOT, ("add", ["y", "b"], "z"), ("relu", ["z"], "r")
    ),
    "bias of a column": workload({"w": (16, 24), "x": (24, 20), "b": (16, 1)}, DOT, ("add", ["b", "y"], "z")),
    "bias of a batch": workload({"w": (3, 16, 24), "x": (3, 24, 20), "b": (3, 16, 20)}, DOT, ("add", ["b", "y"], "z")),
    "bias of merged rows": workload({"w": (3, 16, 24), "x": (24, 20), "b": (3, 1, 20)}, DOT, ("add", ["y", "b"], "z")),
    "cast": workload({"w": (16, 24), "x": (24, 20)}, DOT, ("cast", ["y"], "z", ("to", "float32"))),
    "two products": workload(
        {"w": (30, 24), "x": (24, 20), "v": (20, 33)},
        DOT,
        ("relu", ["y"], "z"),
        ("matmul", ["z", "v"], "r", ("partials", "float16")),
    ),
    "the same tensor twice": workload({"w": (20, 20)}, ("matmul", ["w", "w"], "y"), ("add", ["y", "w"], "z")),
    "sum of vectors": workload({"a": (30, 24), "b": (24,)}, ("add", ["a", "b"], "y")),
    "outer sum": workload({"a": (4, 5, 1), "b": (4, 1, 7)}, ("add", ["a", "b"], "y")),
    "sum over merged dimensions": workload({"a": (2, 4, 5, 6), "b": (4, 1, 6)}, ("add", ["a", "b"], "y")),
}


@pytest.mark.parametrize("chip", ["tiny", "bow"])
@pytest.mark.parametrize("name", WORKLOADS)
def test_workloads_are_resident_and_right(name, chip):
    _, check = run(WORKLOADS[name], chip)
    assert check["passed"], check
    assert check["checked_fraction"] == 1.0


@pytest.mark.parametrize("chip", ["tiny", "bow"])
@pytest.mark.parametrize(
    ("dtype", "partials"), [("float32", "float32"), ("float16", "float32"), ("float16", "float16")]
)
@settings(deadline=None, max_examples=8)
@given(extents=st.tuples(st.integers(1, 70), st.integers(1, 130), st.integers(1, 70)))
def test_products_of_any_size_are_resident_and_right(chip, dtype, partials, extents):
    _, check = run(matmul(*extents, dtype, partials), chip)
    assert check["passed"], check
    assert check["checked_fraction"] == 1.0


@pytest.mark.parametrize("partials", ["float16", "float32"])
def test_the_number_of_threads_leaves_no_trace(partials):
    document = matmul(130, 260, 120, "float16", partials)
    one, _ = run(document, "bow", threads=1, verify=False)
    four, _ = run(document, "bow", threads=4, verify=False)
    assert np.array_equal(one.view(np.uint32), four.view(np.uint32))


def test_serial_slices_are_resident_and_right():
    document = matmul(256, 512, 384, "float32", "float32")
    compiled = compile_workload(
        document, "tiny", ["chip.tile_sram_bytes=786432", "compile.available_memory_proportion=0.2"]
    )
    assert compiled.program is not None
    assert any(count > 1 for _, count in compiled.program.supersteps())
    graph = compiled.graph
    checker = OpChecker(graph, compiled.program)
    values = {name: tensor_values(graph.tensors[name], 0) for name in graph.inputs}
    execute_program(compiled.program, values, verify=True, after_op=checker.after_op)
    assert checker.result()["passed"]
