"""A stack of transformer layers, encoder or decoder; see :mod:`ipusim.frontends.models.transformer_layer`."""

from __future__ import annotations

from typing import Annotated, Literal, TypeAlias

from pydantic import Field, model_validator

from ipusim.files.units import Count
from ipusim.files.wording import FieldError
from ipusim.frontends.entries import Entry, Extent
from ipusim.frontends.models.builder import Builder
from ipusim.frontends.models.source import Generated, ModelContext, ModelSource
from ipusim.frontends.models.transformer_layer import LayerShape, add_layer

Layers: TypeAlias = Annotated[Count, Field(ge=1, le=1000)]


class Options(Entry):
    """Of a transformer."""

    layers: Layers = Field(default=12, description="Layers, one behind the other")
    hidden: Extent = Field(default=768, description="Features of a token")
    heads: Extent = Field(default=12, description="Heads of queries; divides hidden")
    kv_heads: Extent | None = Field(
        default=None,
        description="Heads of keys and values, which heads of queries share; divides heads, by default all",
    )
    ffn: Extent = Field(default=3072, description="Features inside the feed-forward network")
    sequence: Extent = Field(default=128, description="Tokens of a sequence; in decode, those before the one computed")
    batch: Extent = Field(default=1, description="Sequences")
    kind: Literal["encoder", "decoder"] = Field(default="encoder", description="In a decoder a token sees no later one")
    phase: Literal["prefill", "decode"] = Field(
        default="prefill",
        description="prefill: all tokens at once; decode: one, with keys and values of those before it in a cache",
    )
    norm: Literal["layer_norm", "rms_norm"] = Field(default="layer_norm", description="Kind of the norms")
    norm_position: Literal["pre", "post"] = Field(
        default="post", description="Whether a norm stands before its part or behind the residual"
    )
    activation: Literal["gelu", "silu", "relu"] = Field(default="gelu", description="Of the feed-forward network")
    gated: bool = Field(default=False, description="Whether the activation multiplies a second projection")
    bias: bool = Field(default=True, description="Whether projections add a bias")
    vocabulary: Extent | None = Field(
        default=None,
        description="Tokens there are; with it, an embedding and the logits of the last token are included",
    )

    @model_validator(mode="after")
    def _check(self) -> Options:
        if self.hidden % self.heads:
            raise FieldError(f"{self.heads} heads do not divide the {self.hidden} hidden features", path=("heads",))
        if self.heads % (self.kv_heads or self.heads):
            raise FieldError(f"{self.kv_heads} do not divide the {self.heads} heads", path=("kv_heads",))
        if self.phase == "decode" and self.kind == "encoder":
            raise FieldError("an encoder has no decode phase", "write kind: decoder", path=("phase",))
        return self

    def shape(self) -> LayerShape:
        """Return what each layer is made of."""
        decodes = self.phase == "decode"
        return LayerShape(
            batch=self.batch,
            rows=1 if decodes else self.sequence,
            hidden=self.hidden,
            heads=self.heads,
            kv_heads=self.kv_heads or self.heads,
            ffn=self.ffn,
            cache=self.sequence if decodes else 0,
            causal=self.kind == "decoder",
            norm=self.norm,
            norm_first=self.norm_position == "pre",
            activation=self.activation,
            gated=self.gated,
            bias=self.bias,
        )


def _build(options: Options, _context: ModelContext) -> Generated:
    builder, shape = Builder(), options.shape()
    if options.vocabulary is None:
        x = builder.data("input", shape.batch * shape.rows, shape.hidden)
    else:
        tokens = builder.indices("tokens", shape.batch * shape.rows, below=options.vocabulary)
        table = builder.weight("embedding.weight", options.vocabulary, shape.hidden, scale=1.0)
        x = builder.op("embedding", "gather", table, tokens)
    for number in range(options.layers):
        x = add_layer(builder, f"layers.{number}", x, shape)
    if shape.norm_first:
        x = builder.norm("norm", x, shape.hidden, shape.norm)
    if options.vocabulary is not None:
        x = last_token(builder, x, shape)
        x = builder.linear("logits", x, (shape.hidden, options.vocabulary), bias=False)
    return builder.finish(x)


def last_token(builder: Builder, x: str, shape: LayerShape, *, first: bool = False) -> str:
    """Return the row of the last (or first) token of every sequence."""
    if shape.rows == 1:
        return x
    name = "first" if first else "last"
    sequences = builder.op(f"{name}.sequences", "reshape", x, shape=[shape.batch, shape.rows, shape.hidden])
    at = {"start": 0, "end": 1} if first else {"start": -1}
    token = builder.op(f"{name}.token", "slice", sequences, axis=1, **at)
    return builder.op(name, "reshape", token, shape=[shape.batch, shape.hidden])


MODEL = ModelSource(
    "transformer", "Transformer encoder or decoder, all tokens at once or one at a time", Options, _build
)
