"""Vision transformer ViT-B/16 (Dosovitskiy et al., "An image is worth 16x16 words", 2020).

86,567,656 parameters with 1000 classes; 17.6 billion multiply-adds for an image of 224 x 224.
"""

from __future__ import annotations

from math import sqrt

from pydantic import Field, model_validator

from ipusim.files.wording import FieldError
from ipusim.frontends.entries import Entry, Extent
from ipusim.frontends.models.builder import BIAS, Builder
from ipusim.frontends.models.source import Generated, ModelContext, ModelSource
from ipusim.frontends.models.transformer import Layers, last_token
from ipusim.frontends.models.transformer_layer import LayerShape, add_layer


class Options(Entry):
    """Of ViT-B/16."""

    layers: Layers = Field(default=12, description="Encoder layers")
    hidden: Extent = Field(default=768, description="Features of a patch")
    heads: Extent = Field(default=12, description="Heads of attention; divides hidden")
    ffn: Extent = Field(default=3072, description="Features inside the feed-forward network")
    batch: Extent = Field(default=1, description="Images")
    image: Extent = Field(default=224, description="Pixels of an edge of the images")
    patch: Extent = Field(default=16, description="Pixels of an edge of a patch; divides image")
    classes: Extent = Field(default=1000, description="Of the classifier")

    @model_validator(mode="after")
    def _check(self) -> Options:
        if self.hidden % self.heads:
            raise FieldError(f"{self.heads} heads do not divide the {self.hidden} hidden features", path=("heads",))
        if self.image % self.patch:
            message = f"patches of {self.patch} do not divide the {self.image} pixels"
            raise FieldError(message, path=("patch",))
        return self


def _build(options: Options, _context: ModelContext) -> Generated:
    builder = Builder()
    rows = (options.image // options.patch) ** 2 + 1
    hidden = options.hidden
    shape = LayerShape(options.batch, rows, hidden, options.heads, options.heads, options.ffn, norm_first=True)
    x = _patches(builder, options, rows)
    for number in range(options.layers):
        x = add_layer(builder, f"layers.{number}", x, shape)
    x = last_token(builder, builder.norm("norm", x, hidden), shape, first=True)
    return builder.finish(builder.linear("classifier", x, (hidden, options.classes)))


def _patches(builder: Builder, options: Options, rows: int) -> str:
    """Add the patches as rows [batch * rows, hidden], the token of the class before those of each image.

    That token and the positions are added to rows of zeros and of patches: the sum is the same, and no copies are made
    of the token for every image.
    """
    hidden, batch = options.hidden, options.batch
    image = builder.data("image", batch, 3, options.image, options.image)
    fan_in = 3 * options.patch**2
    weight = builder.weight("patches.weight", hidden, 3, options.patch, options.patch, scale=1 / sqrt(fan_in))
    x = builder.op("patches.product", "conv2d", image, weight, stride=options.patch)
    x = builder.op("patches", "add", x, builder.weight("patches.bias", hidden, 1, 1, scale=BIAS))
    x = builder.op("embeddings.flat", "reshape", x, shape=[batch, hidden, rows - 1])
    x = builder.op("embeddings.patches", "transpose", x, axes=[0, 2, 1])
    x = builder.op("embeddings.padded", "pad", x, before=[0, 1, 0])
    token = builder.weight("embeddings.class.weight", 1, hidden, scale=1.0)
    token = builder.op("embeddings.class", "pad", token, after=[rows - 1, 0])
    places = builder.weight("embeddings.positions.weight", rows, hidden, scale=BIAS)
    places = builder.op("embeddings.positions", "add", places, token)
    x = builder.op("embeddings.sum", "add", x, places)
    return builder.op("embeddings", "reshape", x, shape=[batch * rows, hidden])


MODEL = ModelSource("vit-b16", "Vision transformer with patches of 16 x 16 pixels", Options, _build)
