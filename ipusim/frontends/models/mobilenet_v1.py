"""MobileNet (Howard et al., "MobileNets: efficient convolutional neural networks for mobile vision", 2017).

4.2 million parameters and 569 million multiply-adds for an image of 224 x 224 and a width of 1.
"""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from ipusim.files.units import Number
from ipusim.frontends.entries import Entry, Extent
from ipusim.frontends.models.builder import Builder, Conv
from ipusim.frontends.models.source import Generated, ModelContext, ModelSource

BLOCKS = ((64, 1), (128, 2), (128, 1), (256, 2), (256, 1), (512, 2), *((512, 1),) * 5, (1024, 2), (1024, 1))
"""Channels of the result and stride of each block."""


class Options(Entry):
    """Of MobileNet."""

    batch: Extent = Field(default=1, description="Images")
    image: Annotated[Extent, Field(ge=32)] = Field(default=224, description="Pixels of an edge of the images")
    classes: Extent = Field(default=1000, description="Of the classifier")
    width: Annotated[Number, Field(gt=0, le=4)] = Field(default=1.0, description="Factor of all channels")
    batch_norm: bool = Field(
        default=False, description="Whether batch norms are ops of their own, and not folded into weights and biases"
    )


def _build(options: Options, _context: ModelContext) -> Generated:
    builder, norm = Builder(), options.batch_norm
    channels = _scaled(32, options)
    x = builder.data("image", options.batch, 3, options.image, options.image)
    x = builder.conv("stem", x, Conv((3, channels), 3, 2, batch_norm=norm))
    for number, (full, stride) in enumerate(BLOCKS, start=1):
        name, wider = f"block{number}", _scaled(full, options)
        depthwise = Conv((channels, channels), 3, stride, groups=channels, batch_norm=norm)
        x = builder.conv(f"{name}.depthwise", x, depthwise)
        x = builder.conv(f"{name}.pointwise", x, Conv((channels, wider), batch_norm=norm))
        channels = wider
    x = builder.op("pool", "mean", x, axes=[2, 3])
    return builder.finish(builder.linear("classifier", x, (channels, options.classes)))


def _scaled(channels: int, options: Options) -> int:
    return max(1, round(channels * options.width))


MODEL = ModelSource("mobilenet-v1", "MobileNet: depthwise and pointwise convolutions in turn", Options, _build)
