"""Builds operators that consist of other operators, into which they expand when the graph is built."""

from __future__ import annotations

from collections.abc import Callable

from ipusim.ir.tensor import Tensor
from ipusim.ops.gradient import Gradient
from ipusim.ops.spec import Attribute, Attrs, Expand, F64Array, OpSpec, TensorType


def composite(
    name: str,
    summary: str,
    inputs: tuple[str, ...],
    infer: Callable[[tuple[Tensor, ...], Attrs], TensorType],
    reference: Callable[[tuple[F64Array, ...], Attrs], F64Array],
    expand: Expand,
    attributes: tuple[Attribute, ...] = (),
    flops_per_element: int = 1,
    whole_inputs: tuple[int, ...] = (),
    gradient: Gradient | None = None,
) -> OpSpec:
    """Return an operator that stands for several others; parameters as in :class:`~ipusim.ops.spec.OpSpec`.

    `flops_per_element` counts per element of the result; what a simulation reports is the work of the parts.
    """

    def flops(_inputs: tuple[Tensor, ...], outputs: tuple[Tensor, ...], _attrs: Attrs, _n: tuple[int, ...]) -> int:
        return flops_per_element * outputs[0].n_elements

    return OpSpec(
        name,
        summary,
        inputs,
        infer,
        flops,
        reference,
        attributes,
        family="composite",
        expand=expand,
        whole_inputs=whole_inputs,
        gradient=gradient,
    )
