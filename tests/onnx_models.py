"""ONNX models of one or a few nodes, and what the packages `onnx` and `onnxruntime` make of them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper
from onnx.reference import ReferenceEvaluator

from ipusim.frontends.build import build_graph
from ipusim.frontends.values import tensor_values
from ipusim.frontends.workload import load_workload
from ipusim.ops.registry import find_op

EXPORTED = Path(__file__).parent / "data" / "onnx"
SIZES = {"batch": 2, "sequence": 7}


def model_of(nodes, inputs, outputs, constants=None, opset=20):
    """Return a model; `inputs` are shapes by name, `constants` arrays; outputs have no declared shape."""
    graph = helper.make_graph(
        nodes,
        "g",
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name, shape in inputs.items()],
        [helper.make_empty_tensor_value_info(name) for name in outputs],
        [numpy_helper.from_array(np.asarray(array), name) for name, array in (constants or {}).items()],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=10)


def workload_of(path, dtype="float32", **sizes):
    return {"name": "model", "dtype": dtype, "model": {"onnx": {"file": str(path), "dims": sizes}}}


def open_sizes(path):
    """Return the sizes of the open dimensions of an exported model."""
    inputs = onnx.load(path).graph.input
    names = {each.dim_param for value in inputs for each in value.type.tensor_type.shape.dim if each.dim_param}
    return {name: SIZES[name] for name in sorted(names)}


def graph_and_values(workload):
    """Return the graph of a workload and the values of its inputs and constants."""
    graph = build_graph(load_workload(workload))
    return graph, {name: tensor_values(tensor, 0) for name, tensor in graph.tensors.items() if tensor.init}


def evaluated(graph, values):
    """Return the outputs of a graph in double precision: what its operators mean."""
    held = {name: array.astype(np.float64) for name, array in values.items()}
    for op in graph.ops:
        held[op.outputs[0]] = np.asarray(find_op(op.kind).reference(tuple(held[name] for name in op.inputs), op.attrs))
    return [held[name] for name in graph.outputs]


def feeds(model, values):
    """Return the values of a model's inputs in its own formats."""
    held = {each.name for each in model.graph.initializer}
    return {
        each.name: values[each.name].astype(helper.tensor_dtype_to_np_dtype(each.type.tensor_type.elem_type))
        for each in model.graph.input
        if each.name not in held and each.name in values
    }


def by_evaluator(model, values):
    """Return what the reference evaluator of `onnx` makes of the same inputs."""
    return ReferenceEvaluator(model).run(None, feeds(model, values))


def by_runtime(path, values):
    """Return what `onnxruntime` makes of the same inputs."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    return session.run(None, feeds(onnx.load(path), values))
