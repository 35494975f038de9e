"""What takes the place of the gradient at the non-zeros where a weight is dense: the matmul of the whole gradient."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from typing import Any

from ipusim.errors import Problem
from ipusim.files.document import Document
from ipusim.frontends.entries import OpEntry
from ipusim.frontends.model import Workload, rewritten
from ipusim.ir.graph import Graph

GRADIENT = "matmul_at_nonzeros"


def gradients(ops: Sequence[OpEntry], weights: Collection[str]) -> tuple[int, ...]:
    """Return the positions of the ops that compute a gradient at the non-zeros of one of the weights."""
    return tuple(position for position, op in enumerate(ops) if op.op == GRADIENT and op.inputs[2] in weights)


def dense_gradient(op: Mapping[str, Any]) -> dict[str, Any]:
    """Return the entry of the matmul that computes the gradient everywhere, from that of the op at the non-zeros."""
    turned = not op.get("transpose_b", False)
    partials = op.get("partials", "float32")
    return {**op, "op": "matmul", "inputs": list(op["inputs"][:2]), "transpose_b": turned, "partials": partials}


def with_gradients(dense: Workload, written: Workload, positions: Sequence[int]) -> Workload:
    """Return a dense workload with the gradients at the non-zeros that the user wrote.

    Parameters
    ----------
    dense : Workload
        Its matmuls at `positions` say in which format partial sums are now.
    written : Workload
    positions : sequence of int
    """
    if not positions:
        return dense
    ops, data = list(dense.ops), list(dense.document.data["ops"])
    for position in positions:
        changed = {"partials": data[position]["partials"]}
        ops[position] = written.ops[position].model_copy(update=changed)
        data[position] = {**written.document.data["ops"][position], **changed}
    original = dense.document
    document = replace(original, data={**original.data, "ops": data})
    return rewritten(dense, document, ops=tuple(ops))


def gradient_problems(graph: Graph, document: Document, positions: Sequence[int]) -> list[Problem]:
    """Return what is wrong with gradients that have no dense counterpart: a matmul does not add up a batch."""
    found = []
    for position in positions:
        operand = graph.tensors[graph.ops[position].inputs[0]]
        if len(operand.shape) > 2:
            message = f"{operand.name} has a batch, over which no matmul adds up the dense gradient"
            hint = "to compare it, give the operands two dimensions, with the batch among the columns"
            found.append(document.problem(("ops", position, "inputs", 0), message, hint))
    return found
