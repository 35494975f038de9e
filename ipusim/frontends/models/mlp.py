"""A multilayer perceptron."""

from __future__ import annotations

from typing import Annotated, Literal, TypeAlias

from pydantic import Field

from ipusim.frontends.entries import Entry, Extent
from ipusim.frontends.models.builder import Builder
from ipusim.frontends.models.source import Generated, ModelContext, ModelSource

_Widths: TypeAlias = Annotated[tuple[Extent, ...], Field(min_length=2)]


class Options(Entry):
    """Of a multilayer perceptron."""

    features: _Widths = Field(
        default=(784, 512, 512, 10), description="Features of the input and of every layer's result"
    )
    activation: Literal["relu", "gelu", "silu", "tanh", "sigmoid"] = Field(
        default="relu", description="Between the layers"
    )
    bias: bool = Field(default=True, description="Whether layers add one")
    batch: Extent = Field(default=1, description="Rows of the input")


def _build(options: Options, _context: ModelContext) -> Generated:
    builder = Builder()
    x = builder.data("input", options.batch, options.features[0])
    n_layers = len(options.features) - 1
    for number in range(n_layers):
        name, widths = f"layers.{number}", options.features[number : number + 2]
        x = builder.linear(f"{name}.linear", x, (widths[0], widths[1]), bias=options.bias, gain=2.0)
        if number < n_layers - 1:
            x = builder.op(f"{name}.{options.activation}", options.activation, x)
    return builder.finish(x)


MODEL = ModelSource("mlp", "Fully connected layers with an activation between them", Options, _build)
