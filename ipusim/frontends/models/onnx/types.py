"""Kinds of values in an ONNX graph, and what is known of each value before a chip is thought of."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from numpy.typing import NDArray

if TYPE_CHECKING:
    from onnx import TensorProto

Array = NDArray[Any]

FLOAT, WHOLE, TRUTH = "float", "whole", "truth"
"""Numbers with fractions, whole numbers, and true or false."""

KINDS = {
    "float": FLOAT, "float16": FLOAT, "double": FLOAT, "bfloat16": FLOAT, "bool": TRUTH,
    "int8": WHOLE, "int16": WHOLE, "int32": WHOLE, "int64": WHOLE,
    "uint8": WHOLE, "uint16": WHOLE, "uint32": WHOLE, "uint64": WHOLE,
}  # fmt: skip
"""Kind of each element type of ONNX that can be imported, by its name in lower case."""


@dataclass(frozen=True, slots=True)
class Value:
    """One value of the graph.

    Attributes
    ----------
    name : str
        As in the file.
    shape : tuple of int
        Empty for a scalar.
    elem_type : int
        Element type of ONNX.
    kind : str
        :data:`FLOAT`, :data:`WHOLE` or :data:`TRUTH`.
    constant : array, TensorProto or None
        Values that do not depend on inputs: computed, or as they stand in the file.
    """

    name: str
    shape: tuple[int, ...]
    elem_type: int
    kind: str
    constant: Array | TensorProto | None = None

    @property
    def is_constant(self) -> bool:
        """Whether the value is the same for all inputs."""
        return self.constant is not None


@dataclass(frozen=True, slots=True)
class Node:
    """One operator application of the graph.

    Attributes
    ----------
    name : str
        That of the node, or of its first result where it has none.
    op : str
        Operator, with its domain in front if that is not ONNX's own.
    inputs, outputs : tuple of str
        Empty texts stand for those that are left out.
    attributes : dict
        Numbers, texts (str), lists of them, and TensorProto.
    version : int
        Version of ONNX's operators.
    """

    name: str
    op: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    attributes: dict[str, Any]
    version: int

    def says(self, message: object) -> str:
        """Return a message about this node."""
        return f"node {self.name!r} ({self.op}): {message}"
