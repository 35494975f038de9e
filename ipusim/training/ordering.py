"""The order of a training step: a weight is updated as soon as its gradient is there and nobody reads it any more.

Gradients need room on the tiles only until they are used; with all updates at the end they would all lie there at once.
"""

from __future__ import annotations

from dataclasses import replace

from ipusim.ir.graph import Graph
from ipusim.ir.tensor import Op

UPDATE = "update."
"""What the names of the ops of an update begin with; then comes the weight, and behind a dot the op."""


def with_early_updates(graph: Graph) -> Graph:
    """Return a training step with its updates as early as they can be; those of a weight keep their order.

    What overwrites an input comes behind all that read it.
    """
    passes = [op for op in graph.ops if not op.name.startswith(UPDATE)]
    last_use: dict[str, int] = {}
    for position, op in enumerate(passes):
        last_use.update(dict.fromkeys((*op.inputs, *op.outputs), position))
    overwritten = {new: old for old, new in graph.updates.items()}
    place_of: dict[str, int] = {}
    behind: dict[int, list[Op]] = {}
    for op in graph.ops:
        if not op.name.startswith(UPDATE):
            continue
        weight = op.name.rpartition(".")[0]
        waits = [last_use.get(name, -1) for name in op.inputs]
        waits += [last_use.get(overwritten[name], -1) for name in op.outputs if name in overwritten]
        place = max((place_of.get(weight, -1), *waits))
        place_of[weight] = place
        behind.setdefault(place, []).append(op)
    ordered = list(behind.get(-1, ()))
    for position, op in enumerate(passes):
        ordered += (op, *behind.get(position, ()))
    return replace(graph, ops=tuple(ordered))
