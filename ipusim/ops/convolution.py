"""Builds the convolution operators: cross-correlation as in ONNX and PyTorch, channels first."""

from __future__ import annotations

from itertools import product
from math import prod

import numpy as np

from ipusim.files.wording import FieldError, describe
from ipusim.ir.tensor import Tensor
from ipusim.ops.convolution_gradient import convolution_gradient
from ipusim.ops.sparse_convolution import expand_sparse_convolution, is_sparse_convolution
from ipusim.ops.spec import (
    PARTIALS_FORMATS,
    Attrs,
    Choice,
    F64Array,
    OpSpec,
    ShapeError,
    TensorType,
    product_dtype,
    shown,
)
from ipusim.ops.window import (
    DILATION,
    LARGEST,
    PADDING,
    STRIDE,
    Extents,
    Window,
    padded_input,
    slid_extents,
    window_element,
    window_of,
)

LETTERS = {1: ("[batch, channels, width]", "[out, in / groups, width]"),
           2: ("[batch, channels, height, width]", "[out, in / groups, height, width]")}  # fmt: skip


class Groups(Extents):
    """The number of groups of channels: one whole number."""

    __slots__ = ()

    def read(self, value: object) -> object:
        """Return `value` if it is a whole number, else raise FieldError."""
        if isinstance(value, (list, tuple)):
            raise FieldError(f"expected a whole number, found {describe(value)}")
        return self._one(value)

    def schema(self) -> dict[str, object]:
        """Return the JSON Schema of the value."""
        return {"type": "integer", "minimum": 1, "maximum": LARGEST, "default": 1, "description": self.text}


def convolution_window(w: Tensor, attrs: Attrs) -> Window:
    """Return the window of a convolution with weights `w`."""
    return window_of(attrs, w.shape[2:])


def convolution(name: str, rank: int) -> OpSpec:
    """Return the convolution over `rank` spatial dimensions."""
    x_form, w_form = LETTERS[rank]

    def infer(inputs: tuple[Tensor, ...], attrs: Attrs) -> TensorType:
        x, w = inputs
        for position, (tensor, form) in enumerate(zip(inputs, (x_form, w_form), strict=True)):
            if len(tensor.shape) != rank + 2:
                raise ShapeError(
                    f"{name} needs {form}, but {shown(tensor)} has {len(tensor.shape)} dimensions", operand=position
                )
        groups = attrs["groups"]
        assert isinstance(groups, int)
        _check_channels(x, w, groups)
        if w.sparsity and groups > 1:
            raise ShapeError(f"{w.name} is sparse, and sparse weights have one group of channels", attribute="groups")
        extents = slid_extents(convolution_window(w, attrs), x.shape[2:], f"the kernel of {shown(w)}")
        return TensorType((x.shape[0], w.shape[0], *extents), product_dtype(inputs, attrs))

    return OpSpec(
        name=name,
        summary=f"Convolution over {rank} spatial dimension{'s' if rank > 1 else ''}, channels first",
        inputs=("x", "w"),
        infer=infer,
        flops=_flops,
        reference=_reference,
        attributes=(
            STRIDE,
            PADDING,
            DILATION,
            Groups("groups", "Groups of channels that do not mix; as many as channels is a depthwise convolution"),
            Choice("partials", "Number format of partial sums", choices=PARTIALS_FORMATS, default="float32"),
        ),
        sparse_inputs=(1,),
        expand=expand_sparse_convolution,
        expands=is_sparse_convolution,
        gradient=convolution_gradient,
    )


def _check_channels(x: Tensor, w: Tensor, groups: int) -> None:
    channels, out_channels, group_channels = x.shape[1], w.shape[0], w.shape[1]
    for tensor, count in ((x, channels), (w, out_channels)):
        if count % groups:
            raise ShapeError(
                f"{count} channels of {shown(tensor)} cannot be cut into {groups} groups", attribute="groups"
            )
    if group_channels * groups != channels:
        of_groups = f" in {groups} groups" if groups > 1 else ""
        hint = f"groups: {channels // group_channels}" if channels % group_channels == 0 else ""
        raise ShapeError(
            f"{shown(w)} takes {group_channels} channels per group, {shown(x)} has {channels}{of_groups}",
            operand=1,
            hint=hint,
        )


def _flops(inputs: tuple[Tensor, ...], outputs: tuple[Tensor, ...], _attrs: Attrs, _nonzeros: tuple[int, ...]) -> int:
    """2 per multiply-add; those with elements of the padding count as well, as is the custom."""
    return 2 * outputs[0].n_elements * prod(inputs[1].shape[1:])


def _reference(arrays: tuple[F64Array, ...], attrs: Attrs) -> F64Array:
    x, w = arrays
    groups = attrs["groups"]
    assert isinstance(groups, int)
    window = window_of(attrs, w.shape[2:])
    extents = tuple(window.positions(axis, extent) for axis, extent in enumerate(x.shape[2:]))
    padded = padded_input(x, window)
    batch, out_group = x.shape[0], w.shape[0] // groups
    total = np.zeros((batch, groups, out_group, prod(extents)))
    for place in product(*(range(extent) for extent in window.kernel)):
        element = window_element(padded, window, place, extents).reshape(batch, groups, w.shape[1], -1)
        factor = w.reshape(*w.shape[:2], -1)[:, :, np.ravel_multi_index(place, window.kernel)].reshape(
            groups, out_group, w.shape[1]
        )
        total += np.matmul(factor, element)
    return total.reshape(batch, w.shape[0], *extents)
