"""EfficientNet-B0 (Tan and Le, "EfficientNet: rethinking model scaling for convolutional neural networks", 2019).

5.3 million parameters and 390 million multiply-adds for an image of 224 x 224.
"""

from __future__ import annotations

from typing import Annotated, NamedTuple

from pydantic import Field

from ipusim.frontends.entries import Entry, Extent
from ipusim.frontends.models.builder import Builder, Conv
from ipusim.frontends.models.source import Generated, ModelContext, ModelSource


class _Stage(NamedTuple):
    """Blocks of one kind: how many, channels of the result, kernel and stride of the first, widening inside."""

    blocks: int
    channels: int
    kernel: int
    stride: int
    expansion: int


STAGES = (
    _Stage(1, 16, 3, 1, 1),
    _Stage(2, 24, 3, 2, 6),
    _Stage(2, 40, 5, 2, 6),
    _Stage(3, 80, 3, 2, 6),
    _Stage(3, 112, 5, 1, 6),
    _Stage(4, 192, 5, 2, 6),
    _Stage(1, 320, 3, 1, 6),
)
STEM, HEAD, SQUEEZE = 32, 1280, 4
"""Channels of stem and head; channels of a block's input over those that its squeeze leaves."""


class Options(Entry):
    """Of EfficientNet-B0."""

    batch: Extent = Field(default=1, description="Images")
    image: Annotated[Extent, Field(ge=32)] = Field(default=224, description="Pixels of an edge of the images")
    classes: Extent = Field(default=1000, description="Of the classifier")
    blocks: Annotated[tuple[Extent, ...], Field(min_length=7, max_length=7)] = Field(
        default=tuple(stage.blocks for stage in STAGES), description="Blocks of each of the seven stages"
    )
    batch_norm: bool = Field(
        default=False, description="Whether batch norms are ops of their own, and not folded into weights and biases"
    )


def _build(options: Options, _context: ModelContext) -> Generated:
    builder, norm = Builder(), options.batch_norm
    x = builder.data("image", options.batch, 3, options.image, options.image)
    x = builder.conv("stem", x, Conv((3, STEM), 3, 2, activation="silu", batch_norm=norm))
    channels = STEM
    for number, (stage, blocks) in enumerate(zip(STAGES, options.blocks, strict=True), start=1):
        for block in range(blocks):
            one = stage if block == 0 else stage._replace(stride=1)
            x = _block(builder, f"stage{number}.block{block + 1}", x, channels, one, options)
            channels = stage.channels
    x = builder.conv("head", x, Conv((channels, HEAD), activation="silu", batch_norm=norm))
    x = builder.op("pool", "mean", x, axes=[2, 3])
    return builder.finish(builder.linear("classifier", x, (HEAD, options.classes)))


def _block(builder: Builder, name: str, x: str, channels: int, stage: _Stage, options: Options) -> str:
    """Add a block: wider, windows of every channel alone, a weight for every channel, narrower; beside it the input."""
    norm, wide, before = options.batch_norm, channels * stage.expansion, x
    if stage.expansion > 1:
        x = builder.conv(f"{name}.expand", x, Conv((channels, wide), activation="silu", batch_norm=norm))
    depthwise = Conv((wide, wide), stage.kernel, stage.stride, wide, activation="silu", batch_norm=norm)
    x = builder.conv(f"{name}.depthwise", x, depthwise)
    x = _squeeze(builder, f"{name}.squeeze", x, (wide, channels // SQUEEZE), options.batch)
    x = builder.conv(f"{name}.project", x, Conv((wide, stage.channels), activation="", batch_norm=norm, gain=4.0))
    if stage.stride == 1 and channels == stage.channels:
        return builder.op(name, "add", x, before)
    return x


def _squeeze(builder: Builder, name: str, x: str, channels: tuple[int, int], batch: int) -> str:
    """Multiply every channel with a weight between 0 and 1 that a small network finds from the means of all."""
    wide, narrow = channels
    means = builder.op(f"{name}.mean", "mean", x, axes=[2, 3])
    small = builder.op(f"{name}.silu", "silu", builder.linear(f"{name}.reduce", means, (wide, narrow)))
    weights = builder.op(f"{name}.sigmoid", "sigmoid", builder.linear(f"{name}.expand", small, (narrow, wide)))
    return builder.op(name, "mul", x, builder.op(f"{name}.weights", "reshape", weights, shape=[batch, wide, 1, 1]))


MODEL = ModelSource("efficientnet-b0", "EfficientNet-B0: depthwise blocks with squeeze and excitation", Options, _build)
