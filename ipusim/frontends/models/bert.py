"""BERT (Devlin et al., "BERT: pre-training of deep bidirectional transformers", 2018), as its two sizes share it.

110 and 340 million parameters are published; with the uncased vocabulary it is 109,482,240 and 335,141,888, the pooler
included and no classifier.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, create_model, model_validator

from ipusim.files.wording import FieldError
from ipusim.frontends.entries import Entry, Extent
from ipusim.frontends.models.builder import Builder
from ipusim.frontends.models.source import Generated, ModelContext, ModelSource
from ipusim.frontends.models.transformer import Layers, last_token
from ipusim.frontends.models.transformer_layer import LayerShape, add_layer


class BertOptions(Entry):
    """Of BERT."""

    layers: Layers = Field(default=12, description="Encoder layers")
    hidden: Extent = Field(default=768, description="Features of a token")
    heads: Extent = Field(default=12, description="Heads of attention; divides hidden")
    ffn: Extent = Field(default=3072, description="Features inside the feed-forward network")
    sequence: Extent = Field(default=128, description="Tokens of a sequence; at most positions")
    batch: Extent = Field(default=1, description="Sequences")
    vocabulary: Extent = Field(default=30522, description="Tokens there are")
    positions: Extent = Field(default=512, description="Longest sequence")
    classes: Extent = Field(default=2, description="Of the classifier")
    head: Literal["classifier", "span", "none"] = Field(
        default="classifier",
        description="classifier: of the pooled first token; span: begin and end of an answer; none: rows of tokens",
    )
    embeddings: bool = Field(default=True, description="Whether tables of tokens, positions and segments are included")

    @model_validator(mode="after")
    def _check(self) -> BertOptions:
        if self.hidden % self.heads:
            raise FieldError(f"{self.heads} heads do not divide the {self.hidden} hidden features", path=("heads",))
        if self.sequence > self.positions:
            raise FieldError(f"{self.sequence} tokens are more than the {self.positions} positions", path=("sequence",))
        return self


def bert(name: str, layers: int, hidden: int, heads: int) -> ModelSource:
    """Return the model source of one size of BERT."""
    size = {"layers": layers, "hidden": hidden, "heads": heads, "ffn": 4 * hidden}
    fields = BertOptions.model_fields
    described = {
        key: (
            Annotated[(fields[key].annotation, *fields[key].metadata)],  # with its bounds
            Field(default=value, description=fields[key].description),
        )
        for key, value in size.items()
    }
    options = create_model("Options", __base__=BertOptions, __doc__=f"Of {name}.", **described)  # type: ignore[call-overload]
    summary = f"BERT encoder of {layers} layers and {hidden} features, with embeddings and a head"
    return ModelSource(name, summary, options, _build)


def _build(options: BertOptions, _context: ModelContext) -> Generated:
    builder = Builder()
    hidden = options.hidden
    shape = LayerShape(options.batch, options.sequence, hidden, options.heads, options.heads, options.ffn)
    if options.embeddings:
        x = _embeddings(builder, options)
    else:
        x = builder.data("input", options.batch * options.sequence, hidden)
    for number in range(options.layers):
        x = add_layer(builder, f"layers.{number}", x, shape)
    if options.head == "span":
        x = builder.linear("span", x, (hidden, 2))
    elif options.head == "classifier":
        pooled = builder.linear("pooler.linear", last_token(builder, x, shape, first=True), (hidden, hidden))
        pooled = builder.op("pooler", "tanh", pooled)
        x = builder.linear("classifier", pooled, (hidden, options.classes))
    return builder.finish(x)


def _embeddings(builder: Builder, options: BertOptions) -> str:
    """Add the sum of what tokens, positions and segments have in their tables, and its norm."""
    hidden, rows = options.hidden, options.batch * options.sequence
    tokens = builder.indices("tokens", rows, below=options.vocabulary)
    segments = builder.indices("segments", rows, below=2)
    words = builder.weight("embeddings.words.weight", options.vocabulary, hidden, scale=0.6)
    kinds = builder.weight("embeddings.segments.weight", 2, hidden, scale=0.6)
    places = builder.weight("embeddings.positions.weight", options.positions, hidden, scale=0.6)
    x = builder.op("embeddings.words", "gather", words, tokens)
    x = builder.op("embeddings.kinds", "add", x, builder.op("embeddings.segments", "gather", kinds, segments))
    if options.sequence < options.positions:
        places = builder.op("embeddings.positions", "slice", places, axis=0, end=options.sequence)
    if options.batch > 1:
        x = builder.op("embeddings.split", "reshape", x, shape=[options.batch, options.sequence, hidden])
    x = builder.op("embeddings.sum", "add", x, places)
    if options.batch > 1:
        x = builder.op("embeddings.rows", "reshape", x, shape=[rows, hidden])
    return builder.norm("embeddings.norm", x, hidden)
