"""Random sound workloads build, and their shapes are numpy's."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ipusim.errors import BadInputError
from ipusim.files.packaged import packaged_names
from ipusim.frontends.build import build_graph
from ipusim.frontends.values import tensor_values
from ipusim.frontends.workload import load_workload
from ipusim.ops.registry import find_op

extents = st.integers(1, 5)


@st.composite
def workloads(draw: st.DrawFn) -> dict[str, Any]:
    """A chain of random ops; every operand is a new tensor of a fitting shape or an older result."""
    batch = draw(st.lists(extents, max_size=1))
    shape = [*batch, draw(extents), draw(extents)]
    tensors: dict[str, Any] = {"start": {"shape": shape}}
    ops: list[dict[str, Any]] = []
    last, dtype = "start", "float16"
    for step in range(draw(st.integers(1, 6))):
        kind = draw(st.sampled_from(("matmul", "add", "relu", "cast")))
        inputs, attrs = [last], {}
        if kind == "matmul":
            turned = draw(st.booleans())
            width = draw(extents)
            matrix = [width, shape[-1]] if turned else [shape[-1], width]
            tensors[f"w{step}"] = {"shape": matrix, "dtype": dtype}
            inputs.append(f"w{step}")
            attrs = {"transpose_b": turned}
            shape = [*shape[:-1], width]
        elif kind == "add":
            other = [1 if draw(st.booleans()) else extent for extent in shape][draw(st.integers(0, len(shape) - 1)) :]
            tensors[f"w{step}"] = {"shape": other, "dtype": dtype}
            inputs.append(f"w{step}")
            if draw(st.booleans()):
                inputs.reverse()
        elif kind == "cast":
            dtype = draw(st.sampled_from(("float16", "float32")))
            attrs = {"to": dtype}
        last = f"t{step}"
        ops.append({"op": kind, "inputs": inputs, "output": last, **attrs})
    return {"name": "random", "seed": draw(st.integers(0, 9)), "tensors": tensors, "ops": ops, "outputs": [last]}


@given(workloads())
def test_references_have_the_inferred_shapes(document: dict[str, Any]) -> None:
    workload = load_workload(document)
    graph = build_graph(workload)
    values = {name: tensor_values(graph.tensors[name], workload.seed).astype(np.float64) for name in graph.inputs}
    for op in graph.ops:
        spec = find_op(op.kind)
        values[op.outputs[0]] = spec.reference(tuple(values[name] for name in op.inputs), op.attrs)
    assert {name: value.shape for name, value in values.items()} == {
        name: tensor.shape for name, tensor in graph.tensors.items()
    }
    assert graph.outputs == tuple(document["outputs"])


@given(workloads())
def test_the_same_document_gives_the_same_graph(document: dict[str, Any]) -> None:
    assert build_graph(load_workload(document)) == build_graph(load_workload(document))


@given(workloads(), st.data())
def test_breaking_one_name_is_found(document: dict[str, Any], data: st.DataObject) -> None:
    position = data.draw(st.integers(0, len(document["ops"]) - 1))
    document["ops"][position]["inputs"][0] = "no-such-tensor"
    with pytest.raises(BadInputError) as caught:
        build_graph(load_workload(document))
    assert f"ops.{position}.inputs.0" in {problem.path for problem in caught.value.problems}


def test_building_needs_no_heavy_library() -> None:
    code = (
        "import sys\n"
        "from ipusim.frontends.build import build_graph\n"
        "from ipusim.frontends.workload import load_workload\n"
        f"for name in {packaged_names('workloads')!r}: build_graph(load_workload(name))\n"
        "print(sorted({'numba', 'scipy', 'networkx', 'jinja2', 'rich'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
