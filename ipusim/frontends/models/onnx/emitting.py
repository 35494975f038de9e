"""Entries of a workload file, as the nodes of a model become operators."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from ipusim.files.wording import FieldError
from ipusim.frontends.models.names import Names
from ipusim.frontends.models.onnx.analysis import Analysis
from ipusim.frontends.models.onnx.problems import NodeError
from ipusim.frontends.models.onnx.types import FLOAT, Node
from ipusim.frontends.models.source import Generated
from ipusim.ir.tensor import Tensor
from ipusim.ops.registry import find_op, op_names
from ipusim.ops.spec import OpSpec, ShapeError

MAX_OPS = 100_000
"""Most operators of a model, those of unrolled loops included."""

INTEGERS = "int32"


@dataclass(slots=True)
class Emitter:
    """Collects tensors and operators.

    Attributes
    ----------
    analysis : Analysis
    source : dict
        What the entry of a constant says beside its name: file and dimensions.
    dtype : str
        Number format of everything with fractions.
    bounds : dict
        By name of an input of whole numbers that are indices: how many there are to choose from.
    """

    analysis: Analysis
    source: Mapping[str, object]
    dtype: str
    bounds: Mapping[str, int]
    tensors: dict[str, dict[str, Any]] = field(default_factory=dict)
    ops: list[dict[str, Any]] = field(default_factory=list)
    weights: set[str] = field(default_factory=set)
    _known: dict[str, Tensor] = field(default_factory=dict)
    _tensor_of: dict[str, str] = field(default_factory=dict)
    _tensor_names: Names = field(default_factory=Names)
    _op_names: Names = field(default_factory=Names)

    def operand(self, name: str) -> str:
        """Return the tensor that holds a value of the model; inputs and constants are declared when first read."""
        if name not in self._tensor_of:
            self._tensor_of[name] = self._declare(name)
        return self._tensor_of[name]

    def shape(self, tensor: str) -> tuple[int, ...]:
        """Return the shape of a tensor; a scalar has one dimension."""
        return self._known[tensor].shape

    def dtype_of(self, tensor: str) -> str:
        """Return the number format of a tensor."""
        return self._known[tensor].dtype

    def constant(self, name: str, init: object, shape: tuple[int, ...]) -> str:
        """Declare a tensor that the model does not have, with the values that `init` says."""
        return self._declare_as(name, shape, self.dtype, init)

    def indices(self, name: str, numbers: list[int]) -> str:
        """Declare a tensor of whole numbers."""
        return self._declare_as(name, (len(numbers),), INTEGERS, {"values": numbers})

    def add(self, name: str, kind: str, *inputs: str, **attributes: object) -> str:
        """Add an operator and return the tensor of its result.

        Raises
        ------
        NodeError
            The operator does not take such operands or attributes.
        """
        if len(self.ops) >= MAX_OPS:
            raise NodeError(f"the model has more than {MAX_OPS:,} operators")
        if kind not in op_names():
            raise NodeError(f"there is no operator {kind!r}")
        spec = find_op(kind)
        try:
            shape, dtype = spec.infer(tuple(self._known[each] for each in inputs), _checked(spec, attributes))
        except (ShapeError, FieldError) as error:
            raise NodeError(error.message) from None
        result = self._tensor_names.take(name)
        entry = {"op": kind, "inputs": list(inputs), "output": result}
        self.ops.append({**entry, "name": self._op_names.take(name), **attributes})
        self._known[result] = Tensor(result, shape, dtype)
        return result

    def give(self, value: str, tensor: str) -> None:
        """Say which tensor holds a result of the model."""
        self._tensor_of[value] = tensor

    def settle(self, begin: int, node: Node) -> None:
        """Name what was added since operator `begin`: the last one like the node, results like the node's results."""
        if begin == len(self.ops):
            return
        last = self.ops[-1]
        renamed: dict[str, str] = {}
        written = {op["output"] for op in self.ops[begin:]}
        for value in filter(None, node.outputs):
            tensor = self._tensor_of.get(value, "")
            if tensor in written and tensor not in renamed:
                renamed[tensor] = self._tensor_of[value] = self._tensor_names.take(value)
        for op in self.ops[begin:]:
            op["inputs"] = [renamed.get(name, name) for name in op["inputs"]]
            op["output"] = renamed.get(op["output"], op["output"])
        for old, new in renamed.items():
            self._known[new] = replace(self._known.pop(old), name=new)
        last["name"] = self._op_names.take(node.name)

    def finish(self) -> Generated:
        """Return all entries; an output that no operator writes becomes a view of what it is."""
        written = {op["output"] for op in self.ops}
        outputs = []
        for name in self.analysis.outputs:
            tensor = self.operand(name)
            if tensor not in written:
                tensor = self.add(f"{name}.view", "reshape", tensor, shape=list(self.shape(tensor)))
            outputs.append(tensor)
        return Generated(self.tensors, self.ops, list(dict.fromkeys(outputs)), frozenset(self.weights))

    def _declare(self, name: str) -> str:
        value = self.analysis.values[name]
        shape = value.shape or (1,)
        if not value.is_constant:
            return self._declare_input(name, shape, value.kind)
        dtype = INTEGERS if name in self.bounds else self.dtype
        tensor = self._declare_as(name, shape, dtype, {"onnx": {**self.source, "tensor": name}})
        self.weights.add(tensor)
        return tensor

    def _declare_input(self, name: str, shape: tuple[int, ...], kind: str) -> str:
        if name in self.bounds:
            return self._declare_as(name, shape, INTEGERS, {"integers": {"below": self.bounds[name]}})
        return self._declare_as(name, shape, self.dtype, "normal" if kind == FLOAT else "ones")

    def _declare_as(self, name: str, shape: tuple[int, ...], dtype: str, init: object) -> str:
        tensor = self._tensor_names.take(name)
        self.tensors[tensor] = {"shape": list(shape), "init": init}
        if dtype != self.dtype:
            self.tensors[tensor]["dtype"] = dtype
        self._known[tensor] = Tensor(tensor, shape, dtype)
        return tensor


def _checked(spec: OpSpec, attributes: Mapping[str, object]) -> dict[str, object]:
    """Return all attributes of an operator, defaults included; FieldError if one is wrong."""
    values = {each.name: each.default for each in spec.attributes}
    by_name = {each.name: each for each in spec.attributes}
    for name, value in attributes.items():
        values[name] = by_name[name].read(value)
    return values
