"""Which whole numbers of a model are indices, and of what."""

from __future__ import annotations

from ipusim.frontends.models.onnx.analysis import Analysis

_MOVES = frozenset(
    {"Identity", "Cast", "Reshape", "Flatten", "Squeeze", "Unsqueeze", "Transpose", "Slice", "Split", "Expand", "Tile",
     "Gather", "Concat"}
)  # fmt: skip
"""Operators whose results are elements of their first operand (of all operands: Concat)."""


def index_bounds(analysis: Analysis) -> dict[str, int]:
    """Return how many elements there are to choose from, by name of every value that is used as indices.

    All other whole numbers, such as masks, are counted with, and are numbers like those with fractions.
    """
    bounds: dict[str, int] = {}
    for node in reversed(analysis.nodes):
        if node.op in _MOVES:
            reached = [bounds[name] for name in node.outputs if name in bounds]
            for name in node.inputs if node.op == "Concat" else node.inputs[:1]:
                if reached:
                    bounds[name] = min(*reached, bounds.get(name, reached[0]))
        if node.op == "Gather" and not analysis.values[node.inputs[1]].is_constant:
            extents = analysis.values[node.inputs[0]].shape
            extent = extents[int(node.attributes.get("axis", 0))]
            bounds[node.inputs[1]] = min(extent, bounds.get(node.inputs[1], extent))
    return bounds
