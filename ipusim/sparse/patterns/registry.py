"""Finds patterns: every module of this package that is not part of the machinery is one."""

from __future__ import annotations

import pkgutil
from functools import cache
from importlib import import_module
from pathlib import Path

from ipusim.sparse.blocks import Blocks
from ipusim.sparse.patterns.spec import Pattern, PatternError, PatternRequest

_MACHINERY = frozenset({"random_words", "registry", "spec"})


@cache
def pattern_names() -> tuple[str, ...]:
    """Return the names of all patterns, sorted, without importing any."""
    found = {module.name for module in pkgutil.iter_modules([str(Path(__file__).parent)])}
    return tuple(sorted(found - _MACHINERY))


@cache
def find_pattern(name: str) -> Pattern:
    """Return the pattern called `name`.

    Raises
    ------
    KeyError
        There is no such pattern.
    """
    if name not in pattern_names():
        raise KeyError(name)
    pattern = import_module(f"ipusim.sparse.patterns.{name}").PATTERN
    assert isinstance(pattern, Pattern)
    return pattern


def build_pattern(name: str, request: PatternRequest) -> Blocks:
    """Return the blocks that the pattern called `name` chooses.

    Raises
    ------
    KeyError
        There is no such pattern.
    PatternError
        An option is unknown, or the pattern cannot answer the request.
    """
    pattern = find_pattern(name)
    for option in request.options:
        if option not in pattern.options:
            known = ", ".join(pattern.options) or "none"
            raise PatternError(f"pattern {name} has no option {option!r} (it has: {known})")
    for extent, axis in zip(request.shape, ("rows", "columns"), strict=True):
        if extent < 1 or extent % request.block_size:
            raise PatternError(f"{extent} {axis} are not a multiple of the block size {request.block_size}")
    return pattern.build(request)
