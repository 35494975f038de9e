"""Mean of windows over 2 spatial dimensions: see :mod:`ipusim.ops.pooling`."""

from __future__ import annotations

from ipusim.ops.pooling import pooling

OP = pooling("avg_pool2d", 2, largest=False)
