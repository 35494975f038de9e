"""What vertices perform, for the energy model: operations and bytes, counted over whole arrays of vertices.

A codelet that says nothing reads its inputs once, writes its outputs once, and takes one operation for each element
that it writes (:func:`elementwise_work`).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from ipusim.chip.amp import element_bytes
from ipusim.chip.model import Chip
from ipusim.cost.energy import Work
from ipusim.ir.program import VertexSet
from ipusim.ir.regions import IntArray


class Traffic(NamedTuple):
    """What the operands of some vertices come to: bytes read and written, and elements written."""

    read_bytes: int
    written_bytes: int
    written_elements: int


WorkFormula = Callable[[VertexSet, Chip, Traffic], Work]


def elementwise_work(vertices: VertexSet, chip: Chip, traffic: Traffic) -> Work:  # noqa: ARG001
    """Return the work of vertices with one operation for each element that they write."""
    dtype = str(vertices.settings.get("dtype") or vertices.settings.get("inputs") or "")
    return vector_work(dtype, traffic.written_elements if dtype else 0, traffic.read_bytes, traffic.written_bytes)


def vector_work(number_format: str, flops: int, read_bytes: int, written_bytes: int) -> Work:
    """Return work of the vector path, which computes in float32, or in float16 for any narrower format."""
    computed = "float32" if number_format == "float32" else "float16"
    return Work(computed, computed, vector_flops=flops, read_bytes=read_bytes, written_bytes=written_bytes)


def moving_work(vertices: VertexSet, chip: Chip, traffic: Traffic) -> Work:  # noqa: ARG001
    """Return the work of vertices that only read and write their operands."""
    return Work(read_bytes=traffic.read_bytes, written_bytes=traffic.written_bytes)


def copying_work(vertices: VertexSet, chip: Chip, traffic: Traffic) -> Work:  # noqa: ARG001
    """Return the work of vertices that copy ``n_bytes`` each."""
    moved = int(vertices.fields["n_bytes"].sum())
    return Work(read_bytes=moved, written_bytes=moved)


def amp_work(vertices: VertexSet, chip: Chip, traffic: Traffic) -> Work:  # noqa: ARG001
    """Return the work of the AMP vertices of a dense product or a convolution, whatever of it is padding.

    Every pass over ``units`` output channels, at every position of the kernel, loads the weights that the units hold
    and streams its rows past them.
    """
    settings: Any = vertices.settings
    fields = vertices.fields
    units, height = int(settings["units"]), int(settings.get("filter_height", 1))
    passes = fields["conv_groups"] * fields["in_groups"] * fields["out_groups"] * int(settings["passes"])
    if "kernel_first" in fields:
        passes = passes * fields["kernel_rest"] * -(-fields["kernel_first"] // height)
    macs = units * int(settings["in_channels"]) * height * int((field_rows(vertices) * passes).sum())
    loaded = units * chip.amp_weight_bytes_per_unit * int(passes.sum())
    inputs, partials = str(settings["inputs"]), str(settings["partials"])
    return Work(inputs, partials, 2 * macs, _full_rate_cycles(2 * macs, chip, inputs, partials, units), 0, loaded)


def field_rows(vertices: VertexSet) -> IntArray:
    """Return the field elements of vertices of a convolution, which have them in rows or in lines: int64 array [n]."""
    fields = vertices.fields
    rows: IntArray = fields["rows"] if "rows" in fields else fields["lines"] * fields["width"]
    return rows


def block_product_work(vertices: VertexSet, chip: Chip, macs: int, n_blocks: int) -> Work:
    """Return the work of vertices that hold one block of non-zeros after the other in the AMP."""
    settings: Any = vertices.settings
    inputs, partials = str(settings["inputs"]), str(settings["partials"])
    loaded = n_blocks * (int(settings["block_size"]) ** 2 * element_bytes(inputs) + INDEX_BYTES)
    return Work(inputs, partials, 2 * macs, _full_rate_cycles(2 * macs, chip, inputs, partials), 0, loaded)


INDEX_BYTES = 2
"""Where a block or a single non-zero belongs, in the device's format (reference/sparse.md)."""


def single_product_work(vertices: VertexSet, macs: int, non_zeros: int, n_sums: int, in_place: bool = False) -> Work:
    """Return the work of vertices that multiply single non-zeros with vectors of the dense operand.

    Each multiply-add loads an element of the dense operand; each non-zero is loaded with its index; the sums are
    written, and read before if they are added to in place.
    """
    settings: Any = vertices.settings
    inputs = str(settings["inputs"])
    data, sums = element_bytes(inputs), element_bytes(str(settings["partials"])) * n_sums
    read = macs * data + non_zeros * (data + INDEX_BYTES) + in_place * sums
    return vector_work(inputs, 2 * macs, read, sums)


def scattered_product_work(vertices: VertexSet, chip: Chip, traffic: Traffic) -> Work:  # noqa: ARG001
    """Return the work of the element-wise vertices of a dynamic product, from the ``non_zeros`` that are theirs.

    Each sub-group of non-zeros reads and writes the sums of its rows again; they are taken as one read and one write
    of all sums for a vertex with any. Vertices that meet no non-zeros have no operands.
    """
    if not vertices.operands:
        return Work()
    non_zeros = vertices.fields["non_zeros"]
    sums = segment_sums(vertices.operands[2].regions.n_elements, vertices.operands[2].segments)
    macs, touched = int((non_zeros * operand_columns(vertices, 1)).sum()), int(sums[non_zeros > 0].sum())
    return single_product_work(vertices, macs, int(non_zeros.sum()), touched, in_place=True)


def gradient_product_work(vertices: VertexSet, chip: Chip, traffic: Traffic) -> Work:  # noqa: ARG001
    """Return the work of the vertices of a weight gradient: a dot product over the batch for every non-zero.

    Without the AMP, each batch column loads both edges of a block.
    """
    settings: Any = vertices.settings
    fields, size = vertices.fields, int(settings["block_size"])
    held = fields["blocks"] if "blocks" in fields else fields["non_zeros"]
    n_held, macs = int(held.sum()), int((held * fields["cols"]).sum()) * size * size
    if settings["amp"]:
        return block_product_work(vertices, chip, macs, n_held)
    inputs, sums = str(settings["inputs"]), n_held * size * size * element_bytes(str(settings["partials"]))
    read = 2 * macs // size * element_bytes(inputs) + n_held * INDEX_BYTES + sums
    return vector_work(inputs, 2 * macs, read, sums)


def operand_columns(vertices: VertexSet, operand: int) -> IntArray:
    """Return how many columns of a dense operand each vertex of a dynamic product has: int64 array [n].

    A matrix that is stored transposed has them in its rows. Vertices that meet no non-zeros have no operands.
    """
    if not vertices.operands:
        return np.zeros(len(vertices.tile), dtype=np.int64)
    box = vertices.operands[operand].regions.box
    extent = box[:, 3] - box[:, 2] if vertices.settings["dense_flipped"] else columns_of(box)
    return segment_sums(extent, vertices.operands[operand].segments)


def columns_of(box: IntArray) -> IntArray:
    """Return the extent in columns of boxes [n, 6]: int64 array [n]."""
    extent: IntArray = box[:, 5] - box[:, 4]
    return extent


def segment_sums(values: IntArray, segments: IntArray | None) -> IntArray:
    """Return the sum of `values` over each vertex's regions."""
    if segments is None:
        return values
    before = np.concatenate([np.zeros(1, dtype=np.int64), np.cumsum(values, dtype=np.int64)])
    sums: IntArray = before[segments[1:]] - before[segments[:-1]]
    return sums


def _full_rate_cycles(flops: int, chip: Chip, inputs: str, partials: str, units: int | None = None) -> float:
    modes = chip.amp_modes_for(inputs, partials)
    rates = [mode.flops_per_cycle for mode in modes if units in (None, mode.units)]
    return flops / max(rates) if rates else 0.0
