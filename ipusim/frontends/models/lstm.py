"""Recurrent layers of long short-term memory (Hochreiter and Schmidhuber, 1997), unrolled over the sequence.

By default the medium language model of Zaremba et al., "Recurrent neural network regularization" (2014): two layers of
650 units, 35 steps, batch 20, 10,000 words.
"""

from __future__ import annotations

from math import sqrt
from typing import Annotated

from pydantic import Field

from ipusim.frontends.entries import Entry, Extent
from ipusim.frontends.models.builder import BIAS, Builder
from ipusim.frontends.models.source import Generated, ModelContext, ModelSource

GATES = ("input_gate", "forget_gate", "output_gate", "candidate")


class Options(Entry):
    """Of an LSTM."""

    layers: Annotated[Extent, Field(le=100)] = Field(default=2, description="Layers, one behind the other")
    hidden: Extent = Field(default=650, description="Units of a layer")
    features: Extent = Field(default=650, description="Features of a step of the input")
    sequence: Annotated[Extent, Field(le=10_000)] = Field(default=35, description="Steps")
    batch: Extent = Field(default=20, description="Sequences")
    vocabulary: Extent | None = Field(
        default=10_000, description="Words there are; without them there is neither an embedding nor logits"
    )


def _build(options: Options, _context: ModelContext) -> Generated:
    builder, batch, hidden = Builder(), options.batch, options.hidden
    if options.vocabulary is None:
        steps = builder.data("input", options.sequence * batch, options.features)
    else:
        words = builder.indices("words", options.sequence * batch, below=options.vocabulary)
        table = builder.weight("embedding.weight", options.vocabulary, options.features, scale=1.0)
        steps = builder.op("embedding", "gather", table, words)
    layers = [_Layer(builder, f"layers.{number}", options, number) for number in range(options.layers)]
    x = ""
    for step in range(options.sequence):
        x = builder.op(f"steps.{step}", "slice", steps, axis=0, start=step * batch, end=(step + 1) * batch)
        for layer in layers:
            x = layer.step(x, step)
    if options.vocabulary is not None:
        x = builder.linear("logits", x, (hidden, options.vocabulary))
    return builder.finish(x)


class _Layer:
    """One layer with its state, from step to step."""

    def __init__(self, builder: Builder, name: str, options: Options, number: int) -> None:
        inputs = options.hidden if number else options.features
        self._builder, self._name, self._hidden = builder, name, options.hidden
        scale = 1 / sqrt(inputs + options.hidden)
        self._from_input = builder.weight(f"{name}.input.weight", inputs, 4 * options.hidden, scale=scale)
        self._from_state = builder.weight(f"{name}.state.weight", options.hidden, 4 * options.hidden, scale=scale)
        self._bias = builder.weight(f"{name}.bias", 4 * options.hidden, scale=BIAS)
        self._state = builder.data(f"{name}.state", options.batch, options.hidden)
        self._cell = builder.data(f"{name}.cell", options.batch, options.hidden)

    def step(self, x: str, number: int) -> str:
        """Add one step and return its result, the next state."""
        add, name = self._builder.op, f"{self._name}.step{number}"
        product = add(f"{name}.from_input", "matmul", x, self._from_input)
        product = add(f"{name}.sum", "add", product, add(f"{name}.from_state", "matmul", self._state, self._from_state))
        gates = add(f"{name}.gates", "add", product, self._bias)
        inward, forget, outward, new = (self._gate(gates, name, index) for index in range(len(GATES)))
        kept = add(f"{name}.kept", "mul", forget, self._cell)
        self._cell = add(f"{name}.cell", "add", kept, add(f"{name}.added", "mul", inward, new))
        self._state = add(name, "mul", outward, add(f"{name}.tanh", "tanh", self._cell))
        return self._state

    def _gate(self, gates: str, name: str, index: int) -> str:
        """Add a quarter of the sums and its activation."""
        bounds = {"start": index * self._hidden, "end": (index + 1) * self._hidden}
        part = self._builder.op(f"{name}.{GATES[index]}.sum", "slice", gates, axis=1, **bounds)
        kind = "tanh" if GATES[index] == "candidate" else "sigmoid"
        return self._builder.op(f"{name}.{GATES[index]}", kind, part)


MODEL = ModelSource("lstm", "Recurrent layers of long short-term memory, unrolled", Options, _build)
