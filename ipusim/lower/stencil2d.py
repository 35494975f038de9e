"""Lowering of ``stencil2d``: see :mod:`ipusim.lower.stencil`."""

from __future__ import annotations

from ipusim.lower.stencil import lower_stencil as lower_stencil2d

__all__ = ["lower_stencil2d"]
