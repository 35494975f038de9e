"""The vertex types by name.

Every module of this package that is not part of the machinery is a vertex type and defines ``CODELET``. Its name is the
module's name, and a module is imported on the first look-up of that name.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from ipusim.codelets.work import WorkFormula, elementwise_work
from ipusim.registry import Registry

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


_CODELETS = Registry(
    "ipusim.codelets", "CODELET", Codelet, {"op_constants", "reduce_common", "registry", "vectors", "work"}
)

codelet_names = _CODELETS.names
"""The names of all vertex types, sorted."""

codelet = _CODELETS.find
"""``codelet(name)``: the vertex type of that name, or ``KeyError``."""
