"""ResNet-50 (He et al., "Deep residual learning for image recognition", 2015), stride in the 3x3 convolutions (v1.5).

25.56 million parameters and 4.09 billion multiply-adds for an image of 224 x 224.
"""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from ipusim.frontends.entries import Entry, Extent
from ipusim.frontends.models.builder import Builder, Conv
from ipusim.frontends.models.source import Generated, ModelContext, ModelSource

EXPANSION = 4
RESIDUAL_GAIN = 0.2
"""Variance that a block adds, relative to that of its input, so that sixteen of them stay small."""


class Options(Entry):
    """Of ResNet-50."""

    batch: Extent = Field(default=1, description="Images")
    image: Annotated[Extent, Field(ge=32)] = Field(default=224, description="Pixels of an edge of the images")
    classes: Extent = Field(default=1000, description="Of the classifier")
    blocks: tuple[Extent, Extent, Extent, Extent] = Field(default=(3, 4, 6, 3), description="Blocks of the four stages")
    width: Extent = Field(default=64, description="Channels of the stem and inside the first stage")
    batch_norm: bool = Field(
        default=False, description="Whether batch norms are ops of their own, and not folded into weights and biases"
    )


def _build(options: Options, _context: ModelContext) -> Generated:
    builder = Builder()
    x = builder.data("image", options.batch, 3, options.image, options.image)
    x = builder.conv("stem.conv", x, Conv((3, options.width), 7, 2, batch_norm=options.batch_norm))
    x = builder.op("stem.pool", "max_pool2d", x, kernel=3, stride=2, padding=1)
    channels = options.width
    for stage, n_blocks in enumerate(options.blocks):
        inside = options.width << stage
        for block in range(n_blocks):
            stride = 2 if stage and not block else 1
            x = _bottleneck(builder, f"stage{stage + 1}.block{block + 1}", x, (channels, inside), stride, options)
            channels = EXPANSION * inside
    x = builder.op("pool", "mean", x, axes=[2, 3])
    return builder.finish(builder.linear("classifier", x, (channels, options.classes)))


def _bottleneck(builder: Builder, name: str, x: str, channels: tuple[int, int], stride: int, options: Options) -> str:
    """Add a block: fewer channels, windows of 3x3, more channels; beside it the input, or a projection of it."""
    outer, inside = channels
    wide, norm = EXPANSION * inside, options.batch_norm
    y = builder.conv(f"{name}.conv1", x, Conv((outer, inside), batch_norm=norm))
    y = builder.conv(f"{name}.conv2", y, Conv((inside, inside), 3, stride, batch_norm=norm))
    last = Conv((inside, wide), activation="", batch_norm=norm, gain=RESIDUAL_GAIN)
    y = builder.conv(f"{name}.conv3", y, last)
    if outer != wide:
        x = builder.conv(
            f"{name}.shortcut", x, Conv((outer, wide), 1, stride, activation="", batch_norm=norm, gain=1.0)
        )
    return builder.op(name, "relu", builder.op(f"{name}.residual", "add", y, x))


MODEL = ModelSource("resnet50", "Residual network of 50 layers for images (v1.5)", Options, _build)
