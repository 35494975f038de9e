"""What a model computes: shapes of all values, constants worked out, and the nodes that are left."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ipusim.frontends.models.onnx.attributes import node_attributes
from ipusim.frontends.models.onnx.dimensions import input_shapes
from ipusim.frontends.models.onnx.folding import can_fold, fold, shape_of
from ipusim.frontends.models.onnx.problems import ModelFileError, NodeError
from ipusim.frontends.models.onnx.reading import first_line, read_model, tensor_array, tensor_shape
from ipusim.frontends.models.onnx.types import KINDS, Array, Node, Value

if TYPE_CHECKING:
    from onnx import GraphProto, ModelProto, NodeProto, TypeProto

_LIKE_FIRST = frozenset({"GroupNormalization"})
"""Operators whose result is like their first operand, which shape inference does not know of some versions."""

_MAX_INFERRED_FROM = 1024
"""Most elements of a constant that shape inference is told: lists of extents are short."""


@dataclass(frozen=True, slots=True)
class Analysis:
    """A model with inputs of known shapes.

    Attributes
    ----------
    folder : Path
        Folder of the file.
    values : dict
        Every value of the graph by name.
    nodes : tuple of Node
        Those that depend on inputs and that an output needs, in the order of the file.
    inputs, outputs : tuple of str
        Names of values.
    """

    folder: Path
    values: dict[str, Value]
    nodes: tuple[Node, ...]
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]

    def array(self, name: str) -> Array:
        """Return the values of a constant; ValueError if they cannot be read."""
        return constant_array(self.values[name], self.folder)


def constant_array(value: Value, folder: Path) -> Array:
    """Return the values of a constant; ValueError if they cannot be read."""
    assert value.constant is not None
    return value.constant if isinstance(value.constant, np.ndarray) else tensor_array(value.constant, folder)


def analyse(path: Path, extents: Mapping[str, int], known: Collection[str]) -> Analysis:
    """Return what the model in a file computes for inputs of the given extents.

    Parameters
    ----------
    path : Path
    extents : Mapping
        Of the open dimensions, by name.
    known : collection of str
        Operators that can be imported.

    Raises
    ------
    ModelFileError
        With everything that is wrong with the file, and every node that cannot be imported.
    """
    return _analyse(path, _stamp(path), tuple(sorted(extents.items())), frozenset(known))


def cached_model(path: Path) -> ModelProto:
    """Return the model in a file, which is not read again while it stays the same; not to be changed."""
    return _model(path, _stamp(path))


@lru_cache(maxsize=2)
def _model(path: Path, _stamp: tuple[int, int]) -> ModelProto:
    return read_model(path)


def _stamp(path: Path) -> tuple[int, int]:
    """Return time and size of a file, which change with it; zeros if it cannot be looked at."""
    try:
        status = path.stat()
    except (OSError, ValueError):
        return 0, 0
    return status.st_mtime_ns, status.st_size


@lru_cache(maxsize=4)
def _analyse(
    path: Path, stamp: tuple[int, int], extents: tuple[tuple[str, int], ...], known: frozenset[str]
) -> Analysis:
    """Return what a model computes; the file is read again when its time or size has changed."""
    model = _model(path, stamp)
    walk = _Walk(model, path.parent, known)
    walk.add_constants()
    walk.add_inputs(dict(extents))
    walk.add_nodes()
    return walk.finish()


class _Walk:
    """Goes through a graph in the order of the file and collects what is known and what is wrong."""

    def __init__(self, model: ModelProto, folder: Path, known: frozenset[str]) -> None:
        self._graph: GraphProto = model.graph
        self._opsets = list(model.opset_import)
        self._version = (
            max(each.version for each in self._opsets if each.domain in ("", "ai.onnx"))
            if any(each.domain in ("", "ai.onnx") for each in self._opsets)
            else 0
        )
        self._folder = folder
        self._known = known
        self._values: dict[str, Value] = {}
        self._unknown: set[str] = set()
        self._nodes: list[Node] = []
        self._problems: list[str] = []

    def add_constants(self) -> None:
        """Add the initialisers."""
        for tensor in self._graph.initializer:
            try:
                value = _value(tensor.name, tensor_shape(tensor), tensor.data_type, tensor)
            except ValueError as error:
                self._problems.append(f"initialiser {error}")
                self._unknown.add(tensor.name)
            else:
                self._values[tensor.name] = value
        for sparse in self._graph.sparse_initializer:
            self._problems.append(f"initialiser {sparse.values.name!r} is sparse, which cannot be imported")
            self._unknown.add(sparse.values.name)

    def add_inputs(self, extents: Mapping[str, int]) -> None:
        """Add the inputs that have no initialiser."""
        inputs = [each for each in self._graph.input if each.name not in self._values]
        try:
            shapes = input_shapes(inputs, extents)
        except ModelFileError as error:
            raise ModelFileError([*self._problems, *error.messages]) from None
        for each in inputs:
            try:
                self._values[each.name] = _value(each.name, shapes[each.name], each.type.tensor_type.elem_type)
            except ValueError as error:
                self._problems.append(f"input {error}")
                self._unknown.add(each.name)

    def add_nodes(self) -> None:
        """Add what is known of the results of all nodes that an output needs."""
        needed = _needed(self._graph.node, [each.name for each in self._graph.output])
        for position, proto in enumerate(self._graph.node):
            if position not in needed:
                continue
            node = Node(proto.name or next(filter(None, proto.output), f"#{position}"), _op(proto), tuple(proto.input),
                        tuple(proto.output), {}, self._version)  # fmt: skip
            try:
                self._add(node, proto)
            except (NodeError, ValueError) as error:
                self._problems.append(node.says(error))
                self._unknown.update(node.outputs)

    def finish(self) -> Analysis:
        """Return what was found; ModelFileError with all that is wrong."""
        outputs = tuple(each.name for each in self._graph.output)
        for name in outputs:
            if name not in self._values and name not in self._unknown:
                self._problems.append(f"output {name!r} is written by no node")
        if not outputs:
            self._problems.append("the graph has no outputs")
        if self._problems:
            raise ModelFileError(dict.fromkeys(self._problems))
        left = _needed(self._nodes, outputs)
        nodes = tuple(node for position, node in enumerate(self._nodes) if position in left)
        read = {name for node in nodes for name in node.inputs} | set(outputs)
        inputs = tuple(name for name in (each.name for each in self._graph.input) if name in read)
        return Analysis(self._folder, self._values, nodes, inputs, outputs)

    def _add(self, node: Node, proto: NodeProto) -> None:
        for name in node.outputs:
            if name in self._values:
                raise NodeError(f"writes {name!r}, which is there already")
        missing = [name for name in node.inputs if name and name not in self._values]
        unwritten = [name for name in missing if name not in self._unknown]
        if unwritten:
            raise NodeError(f"reads {unwritten[0]!r}, which nothing before it writes")
        constant = all(self._values[name].is_constant for name in node.inputs if name and name not in missing)
        foldable = constant and not missing and can_fold(node.op) and not _has_graph(proto)
        if node.op not in self._known and not foldable and node.op not in ("Shape", "Size"):
            raise NodeError("is not supported")
        if missing:
            self._unknown.update(node.outputs)
            return
        if node.op == "Constant":
            self._add_constant(node, proto)
            return
        if node.op in ("Shape", "Size"):
            self._add_array(node.outputs[0], shape_of(proto, self._values[node.inputs[0]].shape))
            return
        types = self._infer(node, proto)
        if foldable:
            self._fold(node, proto, types)
            return
        for name in filter(None, node.outputs):
            self._values[name] = _typed(name, types.get(name))
        node.attributes.update(node_attributes(proto))
        self._nodes.append(node)

    def _add_array(self, name: str, array: Array) -> None:
        from onnx.helper import np_dtype_to_tensor_dtype

        self._values[name] = _value(name, array.shape, np_dtype_to_tensor_dtype(array.dtype), array)

    def _add_constant(self, node: Node, proto: NodeProto) -> None:
        from onnx import TensorProto as Proto

        attributes = node_attributes(proto)
        tensor = attributes.get("value")
        if isinstance(tensor, Proto):
            self._values[node.outputs[0]] = _value(node.outputs[0], tensor_shape(tensor), tensor.data_type, tensor)
            return
        for key, dtype in (("value_int", np.int64), ("value_ints", np.int64), ("value_float", np.float32),
                           ("value_floats", np.float32)):  # fmt: skip
            if key in attributes:
                with suppress(TypeError, ValueError, OverflowError):
                    self._add_array(node.outputs[0], np.asarray(attributes[key], dtype))
                    return
        raise NodeError("holds no tensor of numbers")

    def _infer(self, node: Node, proto: NodeProto) -> dict[str, TypeProto]:
        from onnx import TensorProto, defs, helper, numpy_helper, shape_inference

        if node.op in _LIKE_FIRST:
            first = self._values[node.inputs[0]]
            return {node.outputs[0]: helper.make_tensor_type_proto(first.elem_type, first.shape)}
        try:
            schema = defs.get_schema(proto.op_type, self._version, "")
        except defs.SchemaError:
            raise NodeError(f"is unknown in version {self._version} of the operators") from None
        types, data = {}, {}
        for name in filter(None, node.inputs):
            value = self._values[name]
            types[name] = helper.make_tensor_type_proto(value.elem_type, value.shape)
            constant = value.constant
            if constant is not None and len(value.shape) < 2 and sum(value.shape) <= _MAX_INFERRED_FROM:
                array = constant_array(value, self._folder)
                data[name] = numpy_helper.from_array(array) if not isinstance(constant, TensorProto) else constant
        try:
            return shape_inference.infer_node_outputs(schema, proto, types, data, opset_imports=self._opsets)
        except Exception as error:  # the C++ library has several kinds
            raise NodeError(f"its operands do not go together: {_reason(error)}") from None

    def _fold(self, node: Node, proto: NodeProto, types: Mapping[str, TypeProto]) -> None:
        for name in filter(None, node.outputs):
            _typed(name, types.get(name), empty=True)
        shapes = [_shape(types[name]) for name in node.outputs if name]
        operands = [constant_array(self._values[name], self._folder) if name else None for name in node.inputs]
        for name, array in zip(node.outputs, fold(proto, self._version, operands, shapes), strict=False):
            if name:
                self._add_array(name, array)


def _op(proto: NodeProto) -> str:
    return proto.op_type if proto.domain in ("", "ai.onnx") else f"{proto.domain}.{proto.op_type}"


def _has_graph(proto: NodeProto) -> bool:
    return any(attribute.HasField("g") or attribute.graphs for attribute in proto.attribute)


def _needed(nodes: Iterable[Any], outputs: Iterable[str]) -> set[int]:
    """Return the positions of the nodes that outputs depend on (`nodes` have ``input`` or ``inputs``)."""
    listed = [
        (tuple(node.inputs), tuple(node.outputs)) if isinstance(node, Node) else (tuple(node.input), tuple(node.output))
        for node in nodes
    ]
    wanted = set(outputs)
    found: set[int] = set()
    for position in range(len(listed) - 1, -1, -1):
        inputs, results = listed[position]
        if wanted.intersection(filter(None, results)):
            found.add(position)
            wanted.update(filter(None, inputs))
    return found


def _reason(error: object) -> str:
    """Return what shape inference has to say, without its own name for the node."""
    text = first_line(error)
    return text.rpartition("] ")[2] or text


def _shape(proto: TypeProto) -> tuple[int, ...]:
    return tuple(dimension.dim_value for dimension in proto.tensor_type.shape.dim)


def _typed(name: str, proto: TypeProto | None, empty: bool = False) -> Value:
    """Return a value of an inferred type; NodeError unless everything about it is known."""
    if proto is None or not proto.HasField("tensor_type") or not proto.tensor_type.HasField("shape"):
        raise NodeError(f"the shape of its result {name!r} is not known before it runs")
    dimensions = proto.tensor_type.shape.dim
    if any(dimension.WhichOneof("value") != "dim_value" for dimension in dimensions):
        raise NodeError(f"the shape of its result {name!r} is not known before it runs")
    shape = _shape(proto)
    if not empty and any(extent < 1 for extent in shape):
        raise NodeError(f"its result {name!r} {list(shape)} has no elements")
    return _value(name, shape, proto.tensor_type.elem_type)


def _value(name: str, shape: tuple[int, ...], elem_type: int, constant: Any = None) -> Value:
    from onnx import TensorProto

    word = (
        TensorProto.DataType.Name(elem_type).lower() if elem_type in TensorProto.DataType.values() else str(elem_type)
    )
    if word not in KINDS:
        raise ValueError(f"{name!r} holds elements of type {word}, which cannot be imported")
    return Value(name, shape, elem_type, KINDS[word], constant)
