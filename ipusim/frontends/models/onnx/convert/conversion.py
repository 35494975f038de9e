"""One node on its way into operators: what converters ask and say."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from ipusim.frontends.models.onnx.emitting import Emitter
from ipusim.frontends.models.onnx.numbers import finite
from ipusim.frontends.models.onnx.problems import NodeError
from ipusim.frontends.models.onnx.types import Node, Value


class Conversion:
    """A node, and the operators that it becomes.

    Operators are called like the node, with their part behind a dot; the last one has the node's name, and its result
    that of the node's result.
    """

    def __init__(self, node: Node, emitter: Emitter) -> None:
        self.node = node
        self._emitter = emitter

    @property
    def version(self) -> int:
        """Version of ONNX's operators."""
        return self.node.version

    def has(self, position: int) -> bool:
        """Return whether an operand is given."""
        return position < len(self.node.inputs) and self.node.inputs[position] != ""

    def value(self, position: int) -> Value:
        """Return what is known of an operand."""
        if not self.has(position):
            raise NodeError(f"lacks operand {position}")
        return self._emitter.analysis.values[self.node.inputs[position]]

    def result(self, position: int = 0) -> Value:
        """Return what is known of a result."""
        return self._emitter.analysis.values[self.node.outputs[position]]

    def wants(self, position: int) -> bool:
        """Return whether a result has a name."""
        return position < len(self.node.outputs) and self.node.outputs[position] != ""

    def operand(self, position: int) -> str:
        """Return the tensor of an operand."""
        self.value(position)
        return self._emitter.operand(self.node.inputs[position])

    def operands(self) -> list[str]:
        """Return the tensors of all operands."""
        return [self.operand(position) for position in range(len(self.node.inputs))]

    def array(self, position: int) -> NDArray[Any]:
        """Return the values of an operand that has to be a constant."""
        value = self.value(position)
        if not value.is_constant:
            raise NodeError(f"its operand {value.name!r} has to be a constant")
        return self._emitter.analysis.array(value.name)

    def wholes(self, position: int) -> list[int]:
        """Return an operand that is a constant list of whole numbers."""
        return [int(each) for each in self.array(position).reshape(-1)]

    def scalar(self, position: int) -> float | None:
        """Return an operand that is one constant number, so that it can be an attribute; None if it is none.

        Numbers that stand for infinity become the number that masks have here.
        """
        value = self.value(position)
        if not value.is_constant or value.shape not in ((), (1,)):
            return None
        number = float(self.array(position).reshape(-1)[0])
        if np.isnan(number):
            raise NodeError(f"its operand {value.name!r} is not a number")
        return float(finite(np.array([number], np.float32), self._emitter.dtype)[0])

    def numbers(self, position: int) -> str:
        """Return the tensor of an operand to compute with: indices become numbers with fractions."""
        return self.as_numbers(self.operand(position))

    def as_numbers(self, tensor: str) -> str:
        """Return a tensor, as numbers with fractions where it holds indices."""
        dtype = self._emitter.dtype
        return tensor if self._emitter.dtype_of(tensor) == dtype else self.add("cast", tensor, to=dtype)

    def broadcast(self, tensor: str, shape: tuple[int, ...]) -> str:
        """Return a tensor, repeated along axes until it has a shape."""
        wanted = shape or (1,)
        return tensor if self.shape(tensor) == wanted else self.add("broadcast_to", tensor, shape=list(wanted))

    def shape(self, tensor: str) -> tuple[int, ...]:
        """Return the shape of a tensor."""
        return self._emitter.shape(tensor)

    def whole(self, name: str, default: int) -> int:
        """Return an attribute that is a whole number."""
        value = self._attribute(name, default)
        if not isinstance(value, int):
            raise NodeError(f"its attribute {name!r} has to be a whole number")
        return value

    def number(self, name: str, default: float) -> float:
        """Return an attribute that is a number."""
        value = self._attribute(name, default)
        if not isinstance(value, (int, float)) or not np.isfinite(value):
            raise NodeError(f"its attribute {name!r} has to be a finite number")
        return float(value)

    def text(self, name: str, default: str) -> str:
        """Return an attribute that is a word."""
        value = self._attribute(name, default)
        if not isinstance(value, str):
            raise NodeError(f"its attribute {name!r} has to be a text")
        return value

    def listed(self, name: str, default: list[int] | None = None) -> list[int] | None:
        """Return an attribute that is a list of whole numbers."""
        value = self._attribute(name, default)
        if value is not None and not (isinstance(value, list) and all(isinstance(each, int) for each in value)):
            raise NodeError(f"its attribute {name!r} has to be a list of whole numbers")
        return value

    def _attribute(self, name: str, default: object) -> Any:
        return self.node.attributes.get(name, default)

    def axis(self, rank: int, default: int, name: str = "axis") -> int:
        """Return an attribute that is an axis of a tensor, counted from the first."""
        axis = self.whole(name, default)
        if not -rank <= axis < max(rank, 1):
            raise NodeError(f"there is no axis {axis} among {rank}")
        return axis % rank if rank else 0

    def add(self, kind: str, *inputs: str, **attributes: object) -> str:
        """Add an operator and return the tensor of its result."""
        return self._emitter.add(f"{self.node.name}.{kind}", kind, *inputs, **attributes)

    def full(self, name: str, number: float) -> str:
        """Return a tensor of one number."""
        return self._emitter.constant(f"{self.node.name}.{name}", {"values": [number]}, (1,))

    def indices(self, name: str, numbers: list[int]) -> str:
        """Return a tensor of whole numbers."""
        return self._emitter.indices(f"{self.node.name}.{name}", numbers)

    def zeros(self, name: str, shape: tuple[int, ...]) -> str:
        """Return a tensor of zeros."""
        return self._emitter.constant(f"{self.node.name}.{name}", "zeros", shape)

    def give(self, tensor: str, position: int = 0) -> None:
        """Say which tensor is a result of the node."""
        if self.wants(position):
            self._emitter.give(self.node.outputs[position], tensor)

    def shaped(self, tensor: str, shape: tuple[int, ...]) -> str:
        """Return a tensor with the same elements in another shape."""
        wanted = shape or (1,)
        return tensor if self.shape(tensor) == wanted else self.add("reshape", tensor, shape=list(wanted))

    def give_shaped(self, tensor: str, position: int = 0) -> None:
        """Say which tensor is a result of the node once it has that result's shape."""
        self.give(self.shaped(tensor, self.result(position).shape), position)


Converter: TypeAlias = Callable[[Conversion], None]
"""Adds the operators of a node and gives its results; raises NodeError."""

Table: TypeAlias = Mapping[str, Converter]
