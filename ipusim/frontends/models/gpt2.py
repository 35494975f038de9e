"""GPT-2 (Radford et al., "Language models are unsupervised multitask learners", 2019), the smallest of its sizes.

124,439,808 parameters, of which the logits share the table of tokens with the embedding.
"""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from ipusim.files.wording import FieldError
from ipusim.frontends.entries import Entry, Extent
from ipusim.frontends.models.builder import Builder
from ipusim.frontends.models.source import Generated, ModelContext, ModelSource
from ipusim.frontends.models.transformer import Layers, last_token
from ipusim.frontends.models.transformer_layer import LayerShape, add_layer


class Options(Entry):
    """Of GPT-2."""

    layers: Layers = Field(default=12, description="Decoder layers")
    hidden: Extent = Field(default=768, description="Features of a token")
    heads: Extent = Field(default=12, description="Heads of attention; divides hidden")
    sequence: Extent = Field(
        default=1023, description="Tokens of a sequence; in decode, those before the one computed; at most positions"
    )
    batch: Extent = Field(default=1, description="Sequences")
    phase: Literal["prefill", "decode"] = Field(
        default="decode",
        description="prefill: all tokens at once; decode: one, with keys and values of those before it in a cache",
    )
    vocabulary: Extent = Field(default=50257, description="Tokens there are")
    positions: Extent = Field(default=1024, description="Longest sequence")

    @model_validator(mode="after")
    def _check(self) -> Options:
        if self.hidden % self.heads:
            raise FieldError(f"{self.heads} heads do not divide the {self.hidden} hidden features", path=("heads",))
        longest = self.sequence + (self.phase == "decode")
        if longest > self.positions:
            message = f"{longest} tokens are more than the {self.positions} positions"
            raise FieldError(message, path=("sequence",))
        return self


def _build(options: Options, _context: ModelContext) -> Generated:
    builder, decodes, hidden = Builder(), options.phase == "decode", options.hidden
    shape = LayerShape(
        batch=options.batch,
        rows=1 if decodes else options.sequence,
        hidden=hidden,
        heads=options.heads,
        kv_heads=options.heads,
        ffn=4 * hidden,
        cache=options.sequence if decodes else 0,
        causal=True,
        norm_first=True,
    )
    table = builder.weight("embeddings.tokens.weight", options.vocabulary, hidden, scale=0.02)
    tokens = builder.indices("tokens", shape.batch * shape.rows, below=options.vocabulary)
    x = builder.op("embeddings.tokens", "gather", table, tokens)
    x = _with_positions(builder, x, shape, options.positions)
    for number in range(options.layers):
        x = add_layer(builder, f"layers.{number}", x, shape)
    x = last_token(builder, builder.norm("norm", x, hidden), shape)
    return builder.finish(builder.op("logits", "matmul", x, table, transpose_b=True))


def _with_positions(builder: Builder, x: str, shape: LayerShape, positions: int) -> str:
    """Add what the table of positions has for the tokens of this pass."""
    places = builder.weight("embeddings.positions.weight", positions, shape.hidden, scale=0.02)
    if shape.rows < positions:
        end = shape.cache + shape.rows
        places = builder.op("embeddings.positions", "slice", places, axis=0, start=shape.cache, end=end)
    if shape.batch == 1 or shape.rows == 1:
        return builder.op("embeddings", "add", x, places)
    split = builder.op("embeddings.split", "reshape", x, shape=[shape.batch, shape.rows, shape.hidden])
    total = builder.op("embeddings.sum", "add", split, places)
    return builder.op("embeddings", "reshape", total, shape=[shape.batch * shape.rows, shape.hidden])


MODEL = ModelSource("gpt2", "GPT-2 with its logits, all tokens at once or one at a time", Options, _build)
