"""Finds storage layouts: every module of this package that defines ``LAYOUT``."""

from __future__ import annotations

from typing import Any, Protocol

from ipusim.errors import BadInputError, Problem
from ipusim.registry import Registry
from ipusim.sparse.blocks import Blocks


class Layout(Protocol):
    """What a layout class provides besides its arrays."""

    @classmethod
    def from_blocks(cls, blocks: Blocks) -> Any:
        """Return the matrix in this layout."""

    def to_blocks(self) -> Blocks:
        """Return the canonical form; the arrays have to be valid."""

    def problems(self) -> list[str]:
        """Return everything that is wrong with the arrays."""


_LAYOUTS: Registry[type[Layout]] = Registry("ipusim.sparse.layouts", "LAYOUT", type, {"registry", "checks"})

layout_names = _LAYOUTS.names
"""The names of all layouts, sorted."""

find_layout = _LAYOUTS.find
"""``find_layout(name)``: the class of the layout of that name, or ``KeyError``."""


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
