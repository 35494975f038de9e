"""Stencil over 2 dimensions: see :mod:`ipusim.ops.stencil`."""

from __future__ import annotations

from ipusim.ops.stencil import stencil

OP = stencil("stencil2d", 2)
