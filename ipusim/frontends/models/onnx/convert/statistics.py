"""Reductions, softmax and normalisations of ONNX."""

from __future__ import annotations

from math import prod

from ipusim.frontends.models.onnx.convert.conversion import Conversion, Converter, Table
from ipusim.frontends.models.onnx.problems import NodeError


def _axes(node: Conversion, rank: int) -> list[int] | None:
    """Return the axes of a reduction, ascending; None where it reduces nothing."""
    found = node.wholes(1) if node.has(1) else node.listed("axes")
    if not found:
        return None if node.whole("noop_with_empty_axes", 0) else list(range(rank))
    if any(not -rank <= axis < rank for axis in found):
        raise NodeError(f"axes {found} are not all axes of {rank} dimensions")
    return sorted({axis % rank for axis in found})


def _reduce(kind: str, before: str = "", after: str = "") -> Converter:
    """Return a converter to a reduction with maps of the operand and of the result."""

    def convert(node: Conversion) -> None:
        x = node.operand(0)
        axes = _axes(node, len(node.shape(x)))
        if before:
            x = node.add(before, x)
        if axes is not None:
            x = node.add(kind, x, axes=axes, keepdims=bool(node.whole("keepdims", 1)))
        node.give_shaped(node.add(after, x) if after else x)

    return convert


def _log_sum_exp(node: Conversion) -> None:
    x = node.operand(0)
    axes = _axes(node, len(node.shape(x)))
    if axes is None:
        node.give(x)
        return
    node.give_shaped(_log_sum(node, x, axes))


def _log_sum(node: Conversion, x: str, axes: list[int]) -> str:
    largest = node.add("max", x, axes=axes, keepdims=True)
    total = node.add("sum", node.add("exp", node.add("sub", x, largest)), axes=axes, keepdims=True)
    return node.add("add", node.add("log", total), largest)


def _softmax_operand(node: Conversion) -> tuple[str, int]:
    """Return the operand and the axis; before version 13 all axes from that on are one."""
    x = node.operand(0)
    shape = node.shape(x)
    if node.version >= 13:
        return x, node.axis(len(shape), -1)
    axis = node.axis(len(shape), 1) if len(shape) > 1 else 0
    return node.shaped(x, (prod(shape[:axis]), prod(shape[axis:]))) if axis < len(shape) - 1 else x, -1


def _softmax(node: Conversion) -> None:
    x, axis = _softmax_operand(node)
    node.give_shaped(node.add("softmax", x, axis=axis))


def _log_softmax(node: Conversion) -> None:
    x, axis = _softmax_operand(node)
    node.give_shaped(node.add("log_softmax", x, axis=axis))


def _batch_norm(node: Conversion) -> None:
    if node.whole("training_mode", 0) or any(node.wants(position) for position in range(1, 5)):
        raise NodeError("is in training mode")
    if not node.whole("spatial", 1):
        raise NodeError("only statistics of whole channels (spatial) can be imported")
    node.give(node.add("batch_norm", *(node.operand(each) for each in range(5)), epsilon=node.number("epsilon", 1e-5)))


def _rows(node: Conversion) -> tuple[str, int]:
    """Return the operand with the normalised axes as one, and the extent of that axis."""
    x = node.operand(0)
    shape = node.shape(x)
    axis = node.axis(len(shape), -1)
    width = prod(shape[axis:])
    return node.shaped(x, (*shape[:axis], width)), width


def _per_column(node: Conversion, position: int, width: int) -> str:
    tensor = node.operand(position)
    if prod(node.shape(tensor)) != width:
        raise NodeError(f"{node.value(position).name!r} has not one element for each of {width} columns")
    return node.shaped(tensor, (width,))


def _layer_norm(node: Conversion) -> None:
    if node.wants(1) or node.wants(2):
        raise NodeError("its mean and deviation cannot be imported as results")
    x, width = _rows(node)
    scale = _per_column(node, 1, width)
    shift = _per_column(node, 2, width) if node.has(2) else node.zeros("shift", (width,))
    node.give_shaped(node.add("layer_norm", x, scale, shift, epsilon=node.number("epsilon", 1e-5)))


def _rms_norm(node: Conversion) -> None:
    x, width = _rows(node)
    scale = _per_column(node, 1, width)
    node.give_shaped(node.add("rms_norm", x, scale, epsilon=node.number("epsilon", 1e-5)))


def _instance_norm(node: Conversion) -> None:
    _grouped_norm(node, node.shape(node.operand(0))[1])


def _group_norm(node: Conversion) -> None:
    groups = node.whole("num_groups", 0)
    if groups < 1 or node.shape(node.operand(0))[1] % groups:
        raise NodeError(f"the channels cannot be cut into {groups} groups")
    _grouped_norm(node, groups)


def _grouped_norm(node: Conversion, groups: int) -> None:
    """Add a normalisation of groups of channels; before version 21 scale and shift may be those of whole groups."""
    x = node.operand(0)
    channels = node.shape(x)[1]
    factors = []
    for position in (1, 2):
        factor = node.operand(position)
        if node.shape(factor) == (groups,) != (channels,):
            column = node.broadcast(node.shaped(factor, (groups, 1)), (groups, channels // groups))
            factor = node.shaped(column, (channels,))
        factors.append(factor)
    node.give(node.add("group_norm", x, *factors, groups=groups, epsilon=node.number("epsilon", 1e-5)))


def _lp_norm(node: Conversion) -> None:
    x = node.operand(0)
    axis, p = node.axis(len(node.shape(x)), -1), node.whole("p", 2)
    length = node.add("sum", node.add("square" if p == 2 else "abs", x), axes=[axis], keepdims=True)
    node.give(node.add("div", x, node.add("sqrt", length) if p == 2 else length))


def _extreme(kind: str) -> Converter:
    """Return a converter to the index of the largest or smallest element."""

    def convert(node: Conversion) -> None:
        if node.whole("select_last_index", 0):
            raise NodeError("the last of equal elements (select_last_index) cannot be imported")
        x = node.operand(0)
        node.give_shaped(node.add(kind, x, axis=node.axis(len(node.shape(x)), 0)))

    return convert


def _top_k(node: Conversion) -> None:
    x = node.operand(0)
    k = node.wholes(1)[0] if node.has(1) else node.whole("k", 1)
    attributes = {"k": k, "axis": node.axis(len(node.shape(x)), -1), "smallest": not node.whole("largest", 1)}
    for position, result in enumerate(("values", "indices")):
        if node.wants(position):
            node.give(node.add("top_k", x, **attributes, result=result), position)


TABLE: Table = {
    "ArgMax": _extreme("argmax"), "ArgMin": _extreme("argmin"), "TopK": _top_k,
    "ReduceSum": _reduce("sum"), "ReduceMean": _reduce("mean"), "ReduceMax": _reduce("max"),
    "ReduceMin": _reduce("min"), "ReduceSumSquare": _reduce("sum", before="square"),
    "ReduceL1": _reduce("sum", before="abs"), "ReduceL2": _reduce("sum", before="square", after="sqrt"),
    "ReduceLogSum": _reduce("sum", after="log"), "ReduceLogSumExp": _log_sum_exp,
    "Softmax": _softmax, "LogSoftmax": _log_softmax, "BatchNormalization": _batch_norm,
    "LayerNormalization": _layer_norm, "RMSNormalization": _rms_norm, "InstanceNormalization": _instance_norm,
    "GroupNormalization": _group_norm, "LpNormalization": _lp_norm,
}  # fmt: skip
"""Converters of reductions and normalisations."""
