"""Stencil over 3 dimensions: see :mod:`ipusim.ops.stencil`."""

from __future__ import annotations

from ipusim.ops.stencil import stencil

OP = stencil("stencil3d", 3)
