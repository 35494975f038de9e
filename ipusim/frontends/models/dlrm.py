"""Recommendation model with embeddings and pairwise products (Naumov et al., "Deep learning recommendation model for
personalization and recommendation systems", 2019).

By default the widths of its published configuration for the Criteo Kaggle data, with smaller tables: those have
33,762,577 rows, which makes 540 million parameters.
"""

from __future__ import annotations

from itertools import pairwise

from pydantic import Field, model_validator

from ipusim.files.wording import FieldError
from ipusim.frontends.entries import MAX_WHOLE, Entry, Extent
from ipusim.frontends.models.builder import Builder
from ipusim.frontends.models.source import Generated, ModelContext, ModelSource


class Options(Entry):
    """Of a recommendation model."""

    batch: Extent = Field(default=128, description="Samples")
    dense: Extent = Field(default=13, description="Features of a sample that are numbers")
    tables: Extent = Field(default=26, description="Features of a sample that are categories, each with a table")
    rows: Extent = Field(default=100_000, description="Categories of a table")
    features: Extent = Field(default=16, description="Columns of a table, and results of the bottom network")
    bottom: tuple[Extent, ...] = Field(
        default=(512, 256, 64, 16), description="Features of the bottom network's layers"
    )
    top: tuple[Extent, ...] = Field(default=(512, 256, 1), description="Features of the top network's layers")

    @model_validator(mode="after")
    def _check(self) -> Options:
        if not self.bottom or self.bottom[-1] != self.features:
            message = f"the bottom network has to end with the {self.features} features of the tables"
            raise FieldError(message, path=("bottom",))
        if self.tables * self.rows > MAX_WHOLE:
            message = f"{self.tables} tables of {self.rows} have more rows than indices can name, {MAX_WHOLE}"
            raise FieldError(message, path=("rows",))
        if not self.top:
            raise FieldError("the top network has no layer", path=("top",))
        return self


def _build(options: Options, _context: ModelContext) -> Generated:
    builder, batch, features = Builder(), options.batch, options.features
    dense = _layers(builder, "bottom", builder.data("dense", batch, options.dense), (options.dense, *options.bottom))
    dense = builder.op("bottom.relu", "relu", dense)
    vectors = _vectors(builder, dense, options)
    products = builder.op("interaction.products", "matmul", vectors, vectors, transpose_b=True)
    count = options.tables + 1
    flat = builder.op("interaction.flat", "reshape", products, shape=[batch, count * count])
    below = [row * count + col for row in range(count) for col in range(row)]
    places = builder.whole("interaction.places", below)
    pairs = builder.op("interaction.pairs", "gather", flat, places, axis=1)
    x = builder.op("interaction", "concat", dense, pairs, axis=1)
    x = _layers(builder, "top", x, (features + len(below), *options.top))
    return builder.finish(builder.op("click", "sigmoid", x))


def _vectors(builder: Builder, dense: str, options: Options) -> str:
    """Add the vectors of every sample [batch, 1 + tables, features]: that of its numbers and those of its categories.

    The tables lie in one, one behind the other, so that one op looks all categories up.
    """
    batch, features = options.batch, options.features
    rows = options.tables * options.rows
    categories = builder.indices("categories", batch, options.tables, below=rows)
    table = builder.weight("tables.weight", rows, features, scale=0.5)
    looked_up = builder.op("tables", "gather", table, categories)
    first = builder.op("interaction.dense", "reshape", dense, shape=[batch, 1, features])
    return builder.op("interaction.vectors", "concat", first, looked_up, axis=1)


def _layers(builder: Builder, name: str, x: str, widths: tuple[int, ...]) -> str:
    """Add layers with a ReLU between them."""
    for number, pair in enumerate(pairwise(widths)):
        x = builder.op(f"{name}.{number - 1}.relu", "relu", x) if number else x
        x = builder.linear(f"{name}.{number}", x, pair, gain=2.0)
    return x


MODEL = ModelSource(
    "dlrm", "Recommendation model: embeddings, pairwise products, two multilayer perceptrons", Options, _build
)
