"""Finds operators: every module of this package that is not part of the machinery is one."""

from __future__ import annotations

import pkgutil
from functools import cache
from importlib import import_module
from pathlib import Path

from ipusim.ops.spec import OpSpec

_MACHINERY = frozenset(
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
        "reduction",
        "registry",
        "sparse_convolution",
        "spec",
        "stencil",
        "window",
        "window_gradient",
    }
)


@cache
def op_names() -> tuple[str, ...]:
    """Return the names of all operators, sorted, without importing any."""
    found = {module.name for module in pkgutil.iter_modules([str(Path(__file__).parent)])}
    return tuple(sorted(found - _MACHINERY))


@cache
def find_op(name: str) -> OpSpec:
    """Return the operator called `name`, importing its module on the first call.

    Raises
    ------
    KeyError
        There is no such operator.
    """
    if name not in op_names():
        raise KeyError(name)
    spec = import_module(f"ipusim.ops.{name}").OP
    assert isinstance(spec, OpSpec)
    return spec
