"""Mean of windows over 1 spatial dimension: see :mod:`ipusim.ops.pooling`."""

from __future__ import annotations

from ipusim.ops.pooling import pooling

OP = pooling("avg_pool1d", 1, largest=False)
