"""Weight-gradient vertex of static element-wise sparsity: one dot product of gathered rows per non-zero.

The published library has no such vertex for static sparsity. This one is derived from its dynamic counterpart: the same
inner loops and the same call, without the search for sub-groups, since the pattern is a constant table. Confidence:
assumed; there are no measurements.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ipusim.codelets.dynamic_element_wise_grad_w import CALL_CYCLES
from ipusim.codelets.registry import Codelet

SOURCE = "derived from poplibs popsparse SparseDenseMatMulGradWElementWise (dynamic) without sub-groups; assumed"


def _cycles(fields: Mapping[str, int], settings: Mapping[str, Any], chip: Any) -> int:  # noqa: ARG001
    return CALL_CYCLES + int(chip.worker_contexts) * fields["worker_slots"]


CODELET = Codelet(name="static_element_wise_grad_w", fields=("worker_slots",), cycles=_cycles, source=SOURCE)
