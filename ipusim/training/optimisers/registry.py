"""Finds optimisers: every module of this package that defines ``OPTIMISER`` is one."""

from __future__ import annotations

import pkgutil
from functools import cache
from importlib import import_module
from pathlib import Path

from ipusim.training.optimisers.spec import Optimiser

_MACHINERY = frozenset({"registry", "spec"})


@cache
def optimiser_names() -> tuple[str, ...]:
    """Return the names of all optimisers, sorted, without importing any."""
    found = {module.name for module in pkgutil.iter_modules([str(Path(__file__).parent)])}
    return tuple(sorted(found - _MACHINERY))


@cache
def find_optimiser(name: str) -> Optimiser:
    """Return the optimiser called `name`.

    Raises
    ------
    KeyError
        There is no such optimiser.
    """
    if name not in optimiser_names():
        raise KeyError(name)
    found = import_module(f"ipusim.training.optimisers.{name}").OPTIMISER
    assert isinstance(found, Optimiser)
    return found
