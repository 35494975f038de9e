"""Writes the tensors and ops of a template, part by part."""

from __future__ import annotations

from math import sqrt
from typing import Any

from ipusim.frontends.models.source import Generated


class Builder:
    """Collects the entries of a network as its layers are called, in the order in which they run.

    Every method returns the name of its result. Names are dotted, from the outermost part of the network to the
    innermost, so that patterns and reports can group them: ``layers.3.ffn.up``, with its parameters
    ``layers.3.ffn.up.weight`` and ``layers.3.ffn.up.bias``.
    """

    def __init__(self) -> None:
        self._tensors: dict[str, dict[str, Any]] = {}
        self._ops: list[dict[str, Any]] = []
        self._weights: set[str] = set()

    def finish(self, *outputs: str) -> Generated:
        """Return everything that was added."""
        return Generated(self._tensors, self._ops, list(outputs), frozenset(self._weights))

    def data(self, name: str, *shape: int) -> str:
        """Add an input of normal values."""
        self._tensors[name] = {"shape": list(shape)}
        return name

    def weight(self, name: str, *shape: int, scale: float) -> str:
        """Add a parameter of normal values with a standard deviation of `scale`."""
        self._tensors[name] = {"shape": list(shape), "init": {"normal": {"scale": scale}}}
        self._weights.add(name)
        return name

    def constant(self, name: str, kind: str, *shape: int) -> str:
        """Add a parameter of ``zeros`` or ``ones``."""
        self._tensors[name] = {"shape": list(shape), "init": kind}
        self._weights.add(name)
        return name

    def op(self, name: str, kind: str, *inputs: str, **attributes: object) -> str:
        """Add an op whose result has its name."""
        self._ops.append({"op": kind, "inputs": list(inputs), "output": name, **attributes})
        return name

    def linear(self, name: str, x: str, features: tuple[int, int], *, bias: bool = True, gain: float = 1.0) -> str:
        """Multiply rows by a weight of (features in, features out) and add a bias.

        Rows of variance 1 get results of variance `gain`.
        """
        weight = self.weight(f"{name}.weight", *features, scale=sqrt(gain / features[0]))
        if not bias:
            return self.op(name, "matmul", x, weight)
        product = self.op(f"{name}.product", "matmul", x, weight)
        return self.op(name, "add", product, self.weight(f"{name}.bias", features[1], scale=0.02))
