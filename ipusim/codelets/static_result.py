"""The result of a static sparse matmul once all of it is in its place: a mark in the program that costs nothing.

Rows of a single source are copied by an exchange straight into the result, and so are sums formed elsewhere; rows
without a non-zero are never written (reference/MODEL_STATIC_MECHANISMS.md, items 2, 7 and 11).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ipusim.chip.model import Chip
from ipusim.codelets.registry import Codelet
from ipusim.codelets.work import Traffic
from ipusim.cost.energy import Work
from ipusim.ir.program import VertexSet


def _cycles(fields: Mapping[str, int], settings: Mapping[str, Any], chip: Any) -> int:  # noqa: ARG001
    return 0


def _work(vertices: VertexSet, chip: Chip, traffic: Traffic) -> Work:  # noqa: ARG001
    return Work()


CODELET = Codelet(
    name="static_result",
    fields=("elements",),
    cycles=_cycles,
    source="reference/MODEL_STATIC_MECHANISMS.md item 11: nothing is written where no sum is formed",
    launch_included=True,
    work=_work,
)
