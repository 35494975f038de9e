"""Lowering of ``stencil3d``: see :mod:`ipusim.lower.stencil`."""

from __future__ import annotations

from ipusim.lower.stencil import lower_stencil as lower_stencil3d

__all__ = ["lower_stencil3d"]
