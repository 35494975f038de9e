"""The vertex types by name.

Every module of this package that defines ``CODELET`` is a vertex type. Its name is the module's name, and a module is
imported on the first look-up of that name.
"""

from __future__ import annotations

import pkgutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any

from ipusim.codelets.work import WorkFormula, elementwise_work

CycleFormula = Callable[[Mapping[str, int], Mapping[str, Any], Any], int]


@dataclass(frozen=True, slots=True)
class Codelet:
    """A vertex type: what its time depends on, and how.

    Attributes
    ----------
    name : str
        Name of the module that defines it.
    fields : tuple of str
        The integer fields that each vertex carries.
    cycles : callable
        ``cycles(fields, settings, chip) -> int``: supervisor cycles of one vertex when it runs, from its fields, the
        settings it shares with its vertex set, and the chip.
    source : str
        Where the formula comes from.
    one_worker : bool
        A vertex runs on one worker, so that a tile runs as many of them at once as it has workers. Its cycles are
        supervisor cycles all the same. Else all workers of the tile share each vertex.
    estimate : callable or None
        What the published planner takes the vertex for, where measurements say otherwise; None: the same as `cycles`.
    launch_included : bool
        The formula covers the way into the vertex and back, so that a compute set of such vertices has no overhead of
        its own. Measurements show this of the AMP vertex, and 50 to 80 missing cycles of the others.
    work : callable
        ``work(vertices, chip, traffic) -> Work``: what all vertices of a set perform together, for their energy. By
        default an operation for each element written, and the bytes of the operands.
    """

    name: str
    fields: tuple[str, ...]
    cycles: CycleFormula
    source: str
    estimate: CycleFormula | None = None
    one_worker: bool = False
    launch_included: bool = False
    work: WorkFormula = elementwise_work


@cache
def codelet_names() -> tuple[str, ...]:
    """Return the names of all vertex types, sorted, importing every module of the package."""
    modules = sorted(info.name for info in pkgutil.iter_modules([str(Path(__file__).parent)]))
    return tuple(name for name in modules if hasattr(import_module(f"ipusim.codelets.{name}"), "CODELET"))


@cache
def codelet(name: str) -> Codelet:
    """Return the vertex type called `name`.

    Raises
    ------
    KeyError
        When no module of the package defines it.
    """
    modules = {info.name for info in pkgutil.iter_modules([str(Path(__file__).parent)])}
    found = getattr(import_module(f"ipusim.codelets.{name}"), "CODELET", None) if name in modules else None
    if not isinstance(found, Codelet):
        raise KeyError(f"no codelet {name!r}; there are {', '.join(codelet_names())}")
    return found
