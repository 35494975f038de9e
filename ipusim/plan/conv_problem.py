"""What the convolution planner is asked, as plain numbers: every convolution as one over two spatial dimensions."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod

from ipusim.formats import number_format
from ipusim.ir.graph import Graph
from ipusim.ir.tensor import Op
from ipusim.ops.convolution import convolution_window

CONVOLUTIONS = ("conv1d", "conv2d")
"""Operators that this planner plans."""

Pair = tuple[int, int]


@dataclass(frozen=True, slots=True)
class ConvProblem:
    """``Y[n, o, y, x] = sum of W[o, i, ky, kx] X[n, i, y s + ky d - before, x s + kx d - before]``.

    Attributes
    ----------
    rank : int
        Spatial dimensions of the operator; with one of them the heights are 1.
    batch, groups : int
        Images; groups of channels that do not mix.
    in_channels, out_channels : int
        Of one group.
    field_in, field_out, kernel, stride, dilation, before : tuple of two int
        Heights and widths, in elements. A convolution with a kernel of one element and without stride and padding
        has its fields flattened to one row.
    inputs_format, partials_format, output_format : str
        Number formats of the operands, of the partial sums and of the result.
    """

    rank: int
    batch: int
    groups: int
    in_channels: int
    out_channels: int
    field_in: Pair
    field_out: Pair
    kernel: Pair
    stride: Pair
    dilation: Pair
    before: Pair
    inputs_format: str
    partials_format: str
    output_format: str

    @property
    def is_flat(self) -> bool:
        """Whether every output element needs the input element in the same place, and no other."""
        return self.kernel == self.stride == (1, 1) and self.before == (0, 0) and self.field_in == self.field_out

    @property
    def resident_bytes(self) -> int:
        """Bytes of operands and result together."""
        channels_in, channels_out = self.groups * self.in_channels, self.groups * self.out_channels
        inputs = self.batch * channels_in * prod(self.field_in) + channels_out * self.in_channels * prod(self.kernel)
        outputs = self.batch * channels_out * prod(self.field_out)
        return inputs * number_format(self.inputs_format).bytes + outputs * number_format(self.output_format).bytes


def conv_problem(graph: Graph, op: Op) -> ConvProblem:
    """Return the convolution that an op asks for."""
    x, w = (graph.tensors[name] for name in op.inputs)
    output = graph.tensors[op.outputs[0]]
    rank = len(x.shape) - 2
    groups = op.attrs["groups"]
    assert isinstance(groups, int)
    window = convolution_window(w, op.attrs)
    found = ConvProblem(
        rank,
        x.shape[0],
        groups,
        w.shape[1],
        w.shape[0] // groups,
        _pair(x.shape[2:], 1),
        _pair(output.shape[2:], 1),
        _pair(window.kernel, 1),
        _pair(window.stride, 1),
        _pair(window.dilation, 1),
        _pair(window.before, 0),
        x.dtype,
        str(op.attrs["partials"]),
        output.dtype,
    )
    return flattened(found) if found.is_flat else found


def flattened(problem: ConvProblem) -> ConvProblem:
    """Return the problem with fields of one row."""
    field = (1, prod(problem.field_in))
    return ConvProblem(
        problem.rank,
        problem.batch,
        problem.groups,
        problem.in_channels,
        problem.out_channels,
        field,
        field,
        problem.kernel,
        problem.stride,
        problem.dilation,
        problem.before,
        problem.inputs_format,
        problem.partials_format,
        problem.output_format,
    )


def _pair(extents: tuple[int, ...], missing: int) -> Pair:
    return (extents[0], extents[1]) if len(extents) == 2 else (missing, extents[0])
