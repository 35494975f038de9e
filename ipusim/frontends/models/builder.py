"""Writes the tensors and ops of a template, part by part."""

from __future__ import annotations

from dataclasses import dataclass
from math import sqrt
from typing import Any

from ipusim.frontends.models.source import Generated

BIAS = 0.02
"""Standard deviation of additive parameters."""


@dataclass(frozen=True, slots=True)
class Conv:
    """A convolution with all that follows it, padded so that a stride of 1 keeps the extents.

    Attributes
    ----------
    channels : tuple of int
        Of its input and of its result.
    kernel, stride, groups : int
    activation : str
        Empty for none.
    batch_norm : bool
        Whether a batch normalisation follows; else it is folded into the weight and a bias.
    gain : float
        Variance of the results for inputs of variance 1.
    """

    channels: tuple[int, int]
    kernel: int = 1
    stride: int = 1
    groups: int = 1
    activation: str = "relu"
    batch_norm: bool = False
    gain: float = 2.0


class Builder:
    """Collects the entries of a network as its layers are called, in the order in which they run.

    Every method returns the name of its result. Names are dotted, from the outermost part of the network to the
    innermost, so that patterns and reports can group them: ``layers.3.ffn.up``, with its parameters
    ``layers.3.ffn.up.weight`` and ``layers.3.ffn.up.bias``. Weights keep the variance of what passes through them, so
    that a deep network stays within the range of float16.
    """

    def __init__(self) -> None:
        self._tensors: dict[str, dict[str, Any]] = {}
        self._ops: list[dict[str, Any]] = []
        self._weights: set[str] = set()

    def finish(self, *outputs: str) -> Generated:
        """Return everything that was added."""
        return Generated(self._tensors, self._ops, list(outputs), frozenset(self._weights))

    def data(self, name: str, *shape: int) -> str:
        """Add an input of normal values with variance 1."""
        self._tensors[name] = {"shape": list(shape)}
        return name

    def indices(self, name: str, *shape: int, below: int) -> str:
        """Add an input of whole numbers from 0 to before `below`."""
        self._tensors[name] = {"shape": list(shape), "dtype": "int32", "init": {"integers": {"below": below}}}
        return name

    def whole(self, name: str, values: list[int]) -> str:
        """Add a vector of given whole numbers."""
        self._tensors[name] = {"shape": [len(values)], "dtype": "int32", "init": {"values": values}}
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
        return self.op(name, "add", product, self.weight(f"{name}.bias", features[1], scale=BIAS))

    def norm(self, name: str, x: str, features: int, kind: str = "layer_norm") -> str:
        """Normalise rows by ``layer_norm`` or ``rms_norm``."""
        parameters = [self.constant(f"{name}.scale", "ones", features)]
        if kind == "layer_norm":
            parameters.append(self.weight(f"{name}.shift", features, scale=BIAS))
        return self.op(name, kind, x, *parameters)

    def activation(self, name: str, kind: str, x: str) -> str:
        """Apply an activation; ``gelu`` by the hyperbolic tangent, as the networks that use it were published."""
        return self.op(name, kind, x, **({"approximate": "tanh"} if kind == "gelu" else {}))

    def conv(self, name: str, x: str, conv: Conv) -> str:
        """Convolve a batch of images, normalise or shift the channels, and apply the activation."""
        fan_in = conv.channels[0] // conv.groups * conv.kernel**2
        shape = (conv.channels[1], conv.channels[0] // conv.groups, conv.kernel, conv.kernel)
        weight = self.weight(f"{name}.weight", *shape, scale=sqrt(conv.gain / fan_in))
        attributes = {"stride": conv.stride, "padding": conv.kernel // 2, "groups": conv.groups}
        given = {key: value for key, value in attributes.items() if value != (0 if key == "padding" else 1)}
        x = self.op(f"{name}.product", "conv2d", x, weight, **given)
        channels = conv.channels[1]
        if conv.batch_norm:
            parameters = [
                self.constant(f"{name}.norm.scale", "ones", channels),
                self.weight(f"{name}.norm.shift", channels, scale=BIAS),
                self.constant(f"{name}.norm.mean", "zeros", channels),
                self.constant(f"{name}.norm.variance", "ones", channels),
            ]
            x = self.op(f"{name}.norm" if conv.activation else name, "batch_norm", x, *parameters)
        else:
            bias = self.weight(f"{name}.bias", channels, 1, 1, scale=BIAS)
            x = self.op(f"{name}.shifted" if conv.activation else name, "add", x, bias)
        return self.activation(name, conv.activation, x) if conv.activation else x
