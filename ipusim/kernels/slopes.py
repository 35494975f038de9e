"""Derivatives of activation functions for kernels, in float64."""

from __future__ import annotations

from ipusim.kernels.functions import error_function, exponential, hyperbolic_tangent, logistic
from ipusim.kernels.jit import inner_kernel

_RELU, _SIGMOID, _TANH, _GELU, _GELU_ERF = range(5)

_ROOT_TWO = 1.4142135623730951
_DENSITY_AT_ZERO = 0.3989422804014327
_GELU_SCALE = 0.7978845608028654
_GELU_CUBE = 0.044715


@inner_kernel
def slope(which: int, x: float) -> float:
    """Return the derivative of an activation function.

    Parameters
    ----------
    which : int
        0 relu, 1 sigmoid, 2 tanh, 3 GELU by the hyperbolic tangent, 4 GELU, 5 swish.
    x : float
        The result of the function for the first three, its operand for the others.
    """
    if which == _RELU:
        return 1.0 if x > 0.0 else 0.0
    if which == _SIGMOID:
        return x * (1.0 - x)
    if which == _TANH:
        return 1.0 - x * x
    if which == _GELU:
        bent = hyperbolic_tangent(_GELU_SCALE * (x + _GELU_CUBE * x * x * x))
        inner = _GELU_SCALE * (1.0 + 3.0 * _GELU_CUBE * x * x)
        return 0.5 * (1.0 + bent) + 0.5 * x * (1.0 - bent * bent) * inner
    if which == _GELU_ERF:
        return 0.5 * (1.0 + error_function(x / _ROOT_TWO)) + x * _DENSITY_AT_ZERO * exponential(-0.5 * x * x)
    share = logistic(x)
    return share * (1.0 + x * (1.0 - share))
