"""Convolution over 1 spatial dimension: see :mod:`ipusim.ops.convolution`."""

from __future__ import annotations

from ipusim.ops.convolution import convolution

OP = convolution("conv1d", 1)
