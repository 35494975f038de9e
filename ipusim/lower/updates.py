"""The end of a program that runs again and again: what replaces an input goes to where the next run wants it."""

from __future__ import annotations

from ipusim.lower.builder import Builder
from ipusim.lower.operands import bring


def settle_updates(builder: Builder) -> None:
    """Move the outputs that take the place of inputs to the homes of these; nothing where they are there already.

    A sparse input that lies on the chip in several packed forms is replaced in all of them.
    """
    graph = builder.graph
    for name, changed in graph.updates.items():
        producer = graph.producer(changed)
        if producer is None or name not in builder.inputs:
            continue
        before = len(builder.steps)
        first = builder.variables[builder.inputs[name]]
        assert first.home is not None
        if graph.tensors[name].sparsity is None:
            bring(builder, producer.name, changed, first.shape, first.home)
        else:
            from ipusim.lower.sparse_map import bring_packed, packed_variables

            for place in packed_variables(builder, name)[::-1]:
                assert place.home is not None
                bring_packed(builder, producer.name, changed, place, place.home)
        builder.share(before)
