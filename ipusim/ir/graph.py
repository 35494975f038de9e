"""The computation graph: tensors and operators in an order in which they can run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from ipusim.ir.tensor import Op, Tensor


@dataclass(frozen=True, slots=True)
class Graph:
    """A checked computation graph.

    Attributes
    ----------
    tensors : Mapping[str, Tensor]
        Every tensor by name, the results of ops included.
    ops : tuple of Op
        In topological order.
    outputs : tuple of str
        The tensors that the user asked for.
    seed : int
        Seed of the values and patterns of the inputs.
    updates : Mapping[str, str]
        Of a program that runs again and again: graph inputs, and the outputs that take their place in the next run.
    beside : Mapping[str, str]
        Inputs that want to lie where another input lies: the states of a weight. What computes with them runs there.
    """

    name: str
    tensors: Mapping[str, Tensor]
    ops: tuple[Op, ...]
    outputs: tuple[str, ...]
    seed: int = 0
    updates: Mapping[str, str] = field(default_factory=dict)
    beside: Mapping[str, str] = field(default_factory=dict)
    _producer: Mapping[str, Op] = field(init=False, repr=False, compare=False)
    _consumers: Mapping[str, tuple[Op, ...]] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Index the ops by the tensors that they write and read."""
        readers: dict[str, list[Op]] = {}
        for op in self.ops:
            for name in dict.fromkeys(op.inputs):
                readers.setdefault(name, []).append(op)
        object.__setattr__(self, "_producer", {name: op for op in reversed(self.ops) for name in op.outputs})
        object.__setattr__(self, "_consumers", {name: tuple(ops) for name, ops in readers.items()})

    def producer(self, tensor: str) -> Op | None:
        """Return the op that writes `tensor`, or None for a graph input."""
        return self._producer.get(tensor)

    def consumers(self, tensor: str) -> tuple[Op, ...]:
        """Return the ops that read `tensor`, in program order."""
        return self._consumers.get(tensor, ())

    @property
    def dram_tensors(self) -> tuple[str, ...]:
        """Names of the tensors that lie in DRAM."""
        return tuple(name for name, tensor in self.tensors.items() if tensor.memory == "dram")

    @property
    def inputs(self) -> tuple[str, ...]:
        """Names of the tensors that no op writes."""
        return tuple(name for name in self.tensors if name not in self._producer)
