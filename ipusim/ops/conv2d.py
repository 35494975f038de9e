"""Convolution over 2 spatial dimensions: see :mod:`ipusim.ops.convolution`."""

from __future__ import annotations

from ipusim.ops.convolution import convolution

OP = convolution("conv2d", 2)
