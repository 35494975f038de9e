"""Finds storage layouts: every module of this package that defines ``LAYOUT``."""

from __future__ import annotations

import pkgutil
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any, Protocol

from ipusim.errors import BadInputError, Problem
from ipusim.sparse.blocks import Blocks

_MACHINERY = frozenset({"registry", "checks"})


class Layout(Protocol):
    """What a layout class provides besides its arrays."""

    @classmethod
    def from_blocks(cls, blocks: Blocks) -> Any:
        """Return the matrix in this layout."""

    def to_blocks(self) -> Blocks:
        """Return the canonical form; the arrays have to be valid."""

    def problems(self) -> list[str]:
        """Return everything that is wrong with the arrays."""


@cache
def layout_names() -> tuple[str, ...]:
    """Return the names of all layouts, sorted."""
    found = {module.name for module in pkgutil.iter_modules([str(Path(__file__).parent)])}
    return tuple(sorted(found - _MACHINERY))


@cache
def find_layout(name: str) -> type[Layout]:
    """Return the class of the layout called `name`.

    Raises
    ------
    KeyError
        There is no such layout.
    """
    if name not in layout_names():
        raise KeyError(name)
    layout: type[Layout] = import_module(f"ipusim.sparse.layouts.{name}").LAYOUT
    return layout


def load_blocks(matrix: Layout, source: str = "sparse matrix") -> Blocks:
    """Return the canonical form of `matrix` after checking it.

    Raises
    ------
    BadInputError
        With every problem that the layout finds in its arrays, under the name `source`.
    """
    problems = matrix.problems()
    if problems:
        raise BadInputError(Problem(source, 0, 0, "", message) for message in problems)
    return matrix.to_blocks()
