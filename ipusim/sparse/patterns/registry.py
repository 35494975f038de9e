"""Finds patterns: every module of this package that is not part of the machinery is one."""

from __future__ import annotations

from ipusim.registry import Registry
from ipusim.sparse.blocks import Blocks
from ipusim.sparse.patterns.spec import Pattern, PatternError, PatternRequest

_PATTERNS = Registry("ipusim.sparse.patterns", "PATTERN", Pattern, {"random_words", "registry", "spec"})

pattern_names = _PATTERNS.names
"""The names of all patterns, sorted."""

find_pattern = _PATTERNS.find
"""``find_pattern(name)``: the pattern of that name, or ``KeyError``."""


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
