"""Several elementwise operators in one loop: operands are loaded once, the last result is stored once."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any

from ipusim.codelets.op_constants import ACTIVATION_GRADIENTS, ACTIVATIONS, BINARY_OPS, SELECT_SLOTS, UNARY_OPS
from ipusim.codelets.registry import Codelet
from ipusim.cost.arithmetic import ceil_div

SELECT_OPERANDS = 3

ACCESS_SLOTS = 2
"""Loads and store of an operator's own loop, which a fused one does not have."""


FUSED_GELU_SLOTS = 12
"""Worker slots of GELU per 64-bit vector of 16-bit elements, without loads and stores.

Source: measurements of a third-party kernel of bias and GELU on ipu21 (dense reference, section 6.4): 62 slots for each
16 elements of a worker, of which 15 vectors would take 3 each for loads, addition and store. It is quicker than the
kernel of GELU alone in the same source.
"""

GRAIN = {"gelu": 4}
"""64-bit vectors that a worker handles in one pass, of operators with more than one."""


@cache
def operator_slots(function: str, float_type: bool) -> int:
    """Return the worker slots per 64-bit vector of an operator without loads and stores, at least one.

    Loops whose published constants include loads and stores lose two slots: so much less do they take in place
    (sigmoid, tanh), and so much do add and multiply need beside their one.
    """
    width = 2 if float_type else 4
    if function == "scale_shift":
        return 2
    if function == "select":
        return SELECT_SLOTS * width - 1 - ceil_div(SELECT_OPERANDS, 2)
    if function == "gelu":
        return FUSED_GELU_SLOTS
    if function in ACTIVATIONS and function not in UNARY_OPS:
        entry = ACTIVATIONS[function]
        return max(1, (entry.vector32 if float_type else entry.vector16) - ACCESS_SLOTS)
    if function in ACTIVATION_GRADIENTS:
        return max(1, ACTIVATION_GRADIENTS[function][float_type] - ACCESS_SLOTS)
    table = BINARY_OPS.get(function) or UNARY_OPS[function]
    cycles, per_loop = table.float32 if float_type else table.float16
    slots = ceil_div(width, per_loop) * cycles
    return slots if table.access else max(1, slots - ACCESS_SLOTS)


WIDEN_SLOTS, NARROW_SLOTS = 2, 1
"""Worker slots to convert a vector of four 16-bit elements to float32 and back (dense reference, section 3, Cast1D)."""


@cache
def converted_slots(function: str) -> int:
    """Return the worker slots per 64-bit vector of 16-bit elements of an operator that computes in float32."""
    return WIDEN_SLOTS + 2 * operator_slots(function, float_type=True) + NARROW_SLOTS


def vertex_cycles(
    elements: int, rows: int, slots: int, loads: int, vector_width: int, float_type: bool, workers: int, grain: int = 1
) -> int:
    """Return the supervisor cycles of a fused elementwise loop.

    Parameters
    ----------
    elements : int
        Elements of the tile.
    rows : int
        Rows that begin anew because a repeated operand does; 0 where no operand is repeated.
    slots : int
        Worker slots per 64-bit vector of all operators together.
    loads : int
        Operands that are loaded for every vector; two loads take one slot.
    vector_width : int
        Elements in 64 bits.
    float_type : bool
        32-bit elements.
    workers : int
        Worker contexts of a tile.
    grain : int
        64-bit vectors that a worker handles in one pass.

    Notes
    -----
    Derived: the fixed part of a binary operator, 7 slots for each row as in BroadcastVectorOuter, and the operators'
    own loops without the loads and stores between them (dense reference, section 3). With one operator it is the
    published time of a binary operator. Workers share the rows, or where there are fewer rows than workers the columns.
    """
    per_vector = slots + 1 + ceil_div(loads, 2)
    prologue = 29 if float_type else 26
    width, per_pass = vector_width * grain, per_vector * grain
    if rows == 0:
        return 11 + workers * (prologue + ceil_div(ceil_div(elements, workers), width) * per_pass)
    cols = ceil_div(elements, rows)
    by_row = ceil_div(rows, workers) * (7 + ceil_div(cols, width) * per_pass)
    by_column = rows * (7 + ceil_div(ceil_div(cols, workers), width) * per_pass)
    return 11 + workers * (prologue + min(by_row, by_column))


def _cycles(fields: Mapping[str, int], settings: Mapping[str, Any], chip: Any) -> int:
    float_type = settings["dtype"] == "float32"
    functions = settings["functions"]
    converted = settings.get("converted", (False,) * len(functions))
    return vertex_cycles(
        fields["elements"],
        fields["rows"],
        sum(
            converted_slots(function) if wide else operator_slots(function, float_type)
            for function, wide in zip(functions, converted, strict=True)
        ),
        int(settings["loads"]),
        2 if float_type else 4,
        float_type,
        chip.worker_contexts,
        max(GRAIN.get(function, 1) for function in functions),
    )


CODELET = Codelet(
    name="fused_map",
    fields=("elements", "rows"),
    cycles=_cycles,
    source="derived from the operators' own loops without the loads and stores between them",
)
