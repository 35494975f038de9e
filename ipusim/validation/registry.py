"""Finds sources: every module of the package ``sources`` is one."""

from __future__ import annotations

from ipusim.registry import Registry
from ipusim.validation.points import Source

_SOURCES = Registry("ipusim.validation.sources", "SOURCE", Source)


def sources() -> tuple[Source, ...]:
    """Return all sources by name."""
    return tuple(_SOURCES.find(name) for name in _SOURCES.names())
