"""Weight-gradient vertices of static block sparsity: one product of gathered slices per non-zero block.

The published library has no such vertices for static sparsity. These are derived from their dynamic counterparts, plain
and on the AMP: the same inner loops and the same call, without the search for sub-groups, since the pattern is a
constant table. Blocks of 16 of float32, which the dynamic vertices lack, are four blocks of 8. Confidence: assumed;
there are no measurements.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ipusim.codelets.dynamic_block import conv_units_of
from ipusim.codelets.dynamic_block_grad_w import amp_pieces_cycles
from ipusim.codelets.dynamic_element_wise_grad_w import CALL_CYCLES, OWN_CYCLES
from ipusim.codelets.registry import Codelet

SOURCE = "derived from poplibs popsparse SparseDenseMatMulBlockGradW (dynamic) without sub-groups; assumed"


def _cycles(fields: Mapping[str, int], settings: Mapping[str, Any], chip: Any) -> int:
    workers = int(chip.worker_contexts)
    if not settings["amp"]:
        return CALL_CYCLES + workers * fields["worker_slots"]
    inputs, partials = settings["inputs"], settings["partials"]
    formats = (int(settings["vertex_block_size"]), inputs == "float32", partials == "float32")
    units = conv_units_of(chip, inputs, partials)
    counts = (fields["rows"], fields["blocks"], fields["cols"])
    return CALL_CYCLES - OWN_CYCLES + amp_pieces_cycles(1, *counts, *formats, units, workers)


CODELET = Codelet(
    name="static_block_grad_w",
    fields=("rows", "blocks", "worker_slots", "cols"),
    cycles=_cycles,
    source=SOURCE,
)
