"""Loop control of a dynamic sparse product: a few scalar operations on one tile, between its compute sets."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ipusim.codelets.registry import Codelet
from ipusim.codelets.work import moving_work

OPERATION_CYCLES = 0
"""Of a scalar operation on one worker, beside the dispatch of its compute set, which covers it (assumed)."""


def _cycles(fields: Mapping[str, int], settings: Mapping[str, Any], chip: Any) -> int:  # noqa: ARG001
    return OPERATION_CYCLES * fields["operations"]


CODELET = Codelet(
    name="dynamic_control",
    fields=("operations",),
    cycles=_cycles,
    source="assumed; reference/MODEL_DYNAMIC.md section 3 counts compute sets and exchanges only",
    work=moving_work,
)
