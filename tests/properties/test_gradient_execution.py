"""Backward passes executed on a small chip, beside the float64 references of their ops."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from ipusim.engine.execution import execute_program
from ipusim.engine.initial import unpacked
from ipusim.frontends.backward import differentiate
from ipusim.frontends.build import assemble_graph
from ipusim.frontends.expand import expand_graph
from ipusim.frontends.values import tensor_values
from ipusim.frontends.workload import load_workload
from ipusim.ops.registry import find_op
from ipusim.pipeline.compiling import compile_graph, load_inputs

POOLS: list[tuple[str, dict[str, Any]]] = [
    ("max_pool2d", {"kernel": 2, "stride": 2}),
    ("max_pool2d", {"kernel": [3, 2], "stride": [3, 2]}),
    ("max_pool2d", {"kernel": 3, "stride": 2, "padding": 1}),
    ("avg_pool2d", {"kernel": 3, "stride": 2, "padding": 1}),
    ("group_norm", {"groups": 2}),
    ("max", {"axes": [2, 3]}),
    ("log_softmax", {"axis": 1}),
    ("clip", {"low": -0.5, "high": 0.75}),
    ("leaky_relu", {}),
    ("elu", {}),
    ("hard_swish", {}),
    ("softplus", {}),
]


@pytest.mark.parametrize("dtype", ["float32", "float16"])
@pytest.mark.parametrize(("kind", "attributes"), POOLS)
def test_a_gradient_is_executed_as_its_references_say(kind: str, attributes: dict[str, Any], dtype: str) -> None:
    tensors = {"x": {"shape": [2, 4, 6, 7], "init": "normal"}}
    further = [f"p{index}" for index in range(len(find_op(kind).inputs) - 1)]
    tensors |= {name: {"shape": [4], "init": "normal"} for name in further}
    ops = [
        {"op": kind, "inputs": ["x", *further], "output": "y", **attributes},
        {"op": "mean_squares", "inputs": ["y"], "output": "loss"},
    ]
    document = {"name": "pass", "dtype": dtype, "chip": "tiny", "tensors": tensors, "ops": ops}
    workload, chip = load_inputs(document, None, ["tile_sram_bytes=65536"])
    found = differentiate(assemble_graph(load_workload(document)), "loss", ["x"])
    gradient = found.gradients["x"]
    graph = expand_graph(found.graph)
    compiled = compile_graph(workload, chip, type(graph)(graph.name, graph.tensors, graph.ops, (gradient,)))
    program = compiled.program
    assert program is not None
    values = {name: tensor_values(graph.tensors[name], 0) for name in program.inputs}
    array = execute_program(program, values, 1, verify=True)[gradient]
    variable = program.variables[program.outputs[gradient]]
    shape = graph.tensors[gradient].shape
    result = (unpacked(variable, array, array.size) if variable.tensor else array).reshape(shape)
    known: dict[str, Any] = {name: each.astype(np.float64) for name, each in values.items()}
    for op in graph.ops:
        known[op.outputs[0]] = find_op(op.kind).reference(tuple(known[name] for name in op.inputs), op.attrs)
        if find_op(op.kind).family not in ("map", "move", "view") and dtype == "float16":
            # What later comparisons for equality read has to be a number of the format.
            known[op.outputs[0]] = known[op.outputs[0]].astype(np.float16).astype(np.float64)
    assert np.abs(known[gradient]).max() > 0
    scale = np.abs(known[gradient]).max()
    np.testing.assert_allclose(result, known[gradient], atol=scale * (1e-5 if dtype == "float32" else 0.01))
