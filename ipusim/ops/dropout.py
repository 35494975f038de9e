"""Dropout in training: elements are set to zero at random, the others scaled so that the mean stays.

The place of an element and the seed decide, so that the same file gives the same bytes on every machine. On the device
the random bits come from the hardware's generator. In inference there is nothing to do: leave the operator out.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from ipusim.ops.elementwise import elementwise
from ipusim.ops.gradient import Backward, Gradients
from ipusim.ops.spec import F64Array, Real, Whole

LARGEST_SEED = 2**32 - 1
_WORD = np.uint64(2**32 - 1)


def random_words(seed: int, count: int) -> NDArray[np.uint64]:
    """Return 32 random bits for each of `count` elements (:func:`ipusim.kernels.curves.random_word`)."""
    index = np.arange(count, dtype=np.uint64)
    word = index * np.uint64(0x9E3779B1) + (index >> np.uint64(32)) * np.uint64(0x85EBCA77)
    word = (word + np.uint64(seed * 0xC2B2AE3D)) & _WORD
    for shift, factor in ((16, 0x7FEB352D), (15, 0x846CA68B), (16, 1)):
        word ^= word >> np.uint64(shift)
        word = word * np.uint64(factor) & _WORD
    return word


def _dropout(x: F64Array, p: float, seed: int) -> F64Array:
    kept = random_words(seed, x.size).astype(np.float64) >= p * 2.0**32
    return np.where(kept.reshape(x.shape), x / (1.0 - p), 0.0)


def _gradient(call: Backward) -> Gradients:
    """The same elements of the gradient are dropped."""
    return (call.add("dropout", call.upstream, **call.attrs),)


OP = replace(
    elementwise(
        "dropout",
        "Elements are set to zero with probability p, the others divided by 1 - p",
        ("x",),
        _dropout,
        attributes=(
            Real("p", "Probability of a zero", 0.5, least=0.0, below=1.0),
            Whole("seed", "Ops with the same seed and shape drop the same elements", 0, 0, LARGEST_SEED),
        ),
        gradient=_gradient,
    ),
    positional=True,
)
