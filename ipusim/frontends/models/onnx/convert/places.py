"""Operators of ONNX that only move elements."""

from __future__ import annotations

from math import prod

from ipusim.frontends.models.onnx.convert.conversion import Conversion, Table
from ipusim.frontends.models.onnx.problems import NodeError


def _view(node: Conversion) -> None:
    """Give the result its shape, which shape inference knows."""
    if prod(node.result().shape) != prod(node.shape(node.operand(0))):
        raise NodeError(f"{list(node.value(0).shape)} cannot become {list(node.result().shape)}")
    node.give_shaped(node.operand(0))


def _transpose(node: Conversion) -> None:
    x = node.operand(0)
    rank = len(node.shape(x))
    order = node.listed("perm") or list(reversed(range(rank)))
    node.give(x if order == list(range(rank)) else node.add("transpose", x, axes=order))


def _slice(node: Conversion) -> None:
    x = node.operand(0)
    shape = node.shape(x)
    if node.version < 10:
        starts, ends = node.listed("starts") or [], node.listed("ends") or []
        axes, steps = node.listed("axes") or list(range(len(starts))), [1] * len(starts)
    else:
        starts, ends = node.wholes(1), node.wholes(2)
        axes = node.wholes(3) if node.has(3) else list(range(len(starts)))
        steps = node.wholes(4) if node.has(4) else [1] * len(starts)
    if not len(starts) == len(ends) == len(axes) == len(steps) or any(not step for step in steps):
        raise NodeError(f"starts {starts}, ends {ends}, axes {axes} and steps {steps} do not go together")
    bounds: dict[int, tuple[int, int, int]] = {}
    for start, end, axis, step in zip(starts, ends, axes, steps, strict=True):
        found = slice(start, end, step).indices(shape[axis])
        if found != (0, shape[axis], 1):
            bounds[axis % len(shape)] = found
    if not bounds:
        node.give(x)
        return
    cut = list(bounds)
    first, last, strides = (list(each) for each in zip(*bounds.values(), strict=True))
    last = [-shape[axis] - 1 if end < 0 else end for axis, end in zip(cut, last, strict=True)]
    node.give(
        node.add("slice", x, axis=cut, start=first, end=last, **({"step": strides} if set(strides) != {1} else {}))
    )


def part(node: Conversion, x: str, axis: int, begin: int, end: int) -> str:
    """Add a slice of one axis; nothing where that is all of it."""
    if (begin, end) == (0, node.shape(x)[axis]):
        return x
    return node.add("slice", x, axis=axis, start=begin, end=end)


def joined(node: Conversion, parts: list[str], axis: int) -> str:
    """Add the concatenation of tensors along an axis; nothing where there is only one."""
    return parts[0] if len(parts) == 1 else node.add("concat", *parts, axis=axis)


def _split(node: Conversion) -> None:
    x = node.operand(0)
    axis = node.axis(len(node.shape(x)), 0)
    begin = 0
    for position, name in enumerate(node.node.outputs):
        if not name:
            raise NodeError("every part of a split needs a name")
        end = begin + node.result(position).shape[axis]
        node.give(part(node, x, axis, begin, end), position)
        begin = end


def _concat(node: Conversion) -> None:
    parts = node.operands()
    node.give(joined(node, parts, node.axis(len(node.shape(parts[0])), 0)))


def _pad(node: Conversion) -> None:
    if node.text("mode", "constant") != "constant":
        raise NodeError(f"padding of mode {node.text('mode', 'constant')!r} cannot be imported")
    x = node.operand(0)
    rank = len(node.shape(x))
    if node.version < 11:
        pads, value = node.listed("pads") or [], node.number("value", 0.0)
    else:
        pads = node.wholes(1)
        value = (node.scalar(2) if node.has(2) else 0.0) or 0.0
    axes = [axis % rank for axis in node.wholes(3)] if node.has(3) else list(range(rank))
    if len(pads) != 2 * len(axes):
        raise NodeError(f"{len(pads)} widths do not say the border of {len(axes)} axes")
    before, after = [0] * rank, [0] * rank
    for position, axis in enumerate(axes):
        before[axis], after[axis] = pads[position], pads[len(axes) + position]
    for axis in range(rank):
        x = part(node, x, axis, max(-before[axis], 0), node.shape(x)[axis] + min(after[axis], 0))
    before, after = ([max(width, 0) for width in widths] for widths in (before, after))
    if any(before) or any(after):
        x = node.add("pad", x, before=before, after=after, **({"value": value} if value else {}))
    node.give(x)


def _gather(node: Conversion) -> None:
    x = node.operand(0)
    shape = node.shape(x)
    axis = node.axis(len(shape), 0)
    if not node.value(1).is_constant:
        node.give_shaped(node.add("gather", x, node.operand(1), axis=axis))
        return
    indices = [index + shape[axis] if index < 0 else index for index in node.wholes(1)]
    if any(not 0 <= index < shape[axis] for index in indices):
        raise NodeError(f"index {indices} lies outside of axis {axis} of {list(shape)}")
    run = range(indices[0], indices[0] + len(indices))
    if indices == list(run):
        node.give_shaped(part(node, x, axis, run.start, run.stop))
        return
    node.give_shaped(node.add("gather", x, node.indices("indices", indices), axis=axis))


def _expand(node: Conversion) -> None:
    node.give(node.broadcast(node.operand(0), node.result().shape))


def _tile(node: Conversion) -> None:
    """Repeat axes: an axis of extent 1 before each of them is stretched."""
    x = node.operand(0)
    apart: list[int] = []
    stretched: list[int] = []
    for times, extent in zip(node.wholes(1), node.shape(x), strict=True):
        if times > 1 and extent > 1:
            apart.append(1)
            stretched.append(times)
        apart.append(extent)
        stretched.append(times if extent == 1 else extent)
    node.give_shaped(node.broadcast(node.shaped(x, tuple(apart)), tuple(stretched)))


def _depth_to_space(node: Conversion) -> None:
    order = {"DCR": "depth_first", "CRD": "channels_first"}.get(node.text("mode", "DCR"))
    if order is None:
        raise NodeError(f"its attribute 'mode' has the unknown value {node.text('mode', '')!r}")
    node.give(node.add("depth_to_space", node.operand(0), block=node.whole("blocksize", 1), order=order))


def _space_to_depth(node: Conversion) -> None:
    x = node.operand(0)
    n, c, h, w = node.shape(x)
    b = node.whole("blocksize", 1)
    apart = node.shaped(x, (n, c, h // b, b, w // b, b))
    node.give_shaped(node.add("transpose", apart, axes=[0, 3, 5, 1, 2, 4]))


TABLE: Table = {
    "Reshape": _view, "Flatten": _view, "Squeeze": _view, "Unsqueeze": _view, "Transpose": _transpose,
    "Slice": _slice, "Split": _split, "Concat": _concat, "Pad": _pad, "Gather": _gather, "Expand": _expand,
    "Tile": _tile, "DepthToSpace": _depth_to_space, "SpaceToDepth": _space_to_depth,
}  # fmt: skip
"""Converters of operators that move elements."""
