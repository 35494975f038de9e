"""Largest element of windows over 2 spatial dimensions: see :mod:`ipusim.ops.pooling`."""

from __future__ import annotations

from ipusim.ops.pooling import pooling

OP = pooling("max_pool2d", 2, largest=True)
