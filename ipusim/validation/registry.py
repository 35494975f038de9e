"""Finds sources: every module of the package ``sources`` is one."""

from __future__ import annotations

import pkgutil
from functools import cache
from importlib import import_module
from pathlib import Path

from ipusim.validation.points import Source


@cache
def sources() -> tuple[Source, ...]:
    """Return all sources by name."""
    names = sorted(module.name for module in pkgutil.iter_modules([str(Path(__file__).parent / "sources")]))
    return tuple(import_module(f"ipusim.validation.sources.{name}").SOURCE for name in names)
