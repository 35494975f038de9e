"""Finds operators: every module of this package that is not part of the machinery is one."""

from __future__ import annotations

from ipusim.ops.spec import OpSpec
from ipusim.registry import Registry

_OPERATORS = Registry(
    "ipusim.ops",
    "OP",
    OpSpec,
    {
        "attributes",
        "composite",
        "convolution",
        "convolution_gradient",
        "elementwise",
        "extremes",
        "gradient",
        "movement",
        "normalisation",
        "pooling",
        "pooling_gradient",
        "reduction",
        "registry",
        "sparse_convolution",
        "spec",
        "stencil",
        "window",
        "window_gradient",
    },
)

op_names = _OPERATORS.names
"""The names of all operators, sorted."""

find_op = _OPERATORS.find
"""``find_op(name)``: the operator of that name, or ``KeyError``."""
