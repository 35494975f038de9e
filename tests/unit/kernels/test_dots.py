import numpy as np
import pytest

from ipusim.kernels.dots import DOT_LANES, DOTS, dots
from ipusim.kernels.jit import kernel


@kernel
def _dots(several, left, rights, out):
    addresses = np.empty(len(rights), np.int64)
    for i in range(len(rights)):
        addresses[i] = rights[i].ctypes.data
    dots(several, left.ctypes.data, addresses.ctypes.data, len(left) // 16, out.ctypes.data)


def by_hand(left, right):
    """Return a dot product in the order that is promised: lanes first, then halves of the lanes."""
    lanes = np.zeros(DOT_LANES)
    for chunk in range(0, len(left), DOT_LANES):
        # a product of two float32 is exact in float64; the sum is rounded once, as by a fused multiply-add
        exact = left[chunk : chunk + DOT_LANES].astype(np.float64) * right[chunk : chunk + DOT_LANES]
        lanes = (lanes + exact).astype(np.float32).astype(np.float64)
    lanes = lanes.astype(np.float32)
    while len(lanes) > 1:
        lanes = lanes[: len(lanes) // 2] + lanes[len(lanes) // 2 :]
    return lanes[0]


@pytest.mark.parametrize("chunks", [1, 2, 7])
@pytest.mark.parametrize("count", [1, DOTS])
def test_dots_are_added_up_in_one_order(chunks, count):
    random = np.random.default_rng(chunks)
    # few bits, so that the sums in float64 are exact before they are rounded
    left, *rights = (
        (random.integers(-(2**12), 2**12, DOT_LANES * chunks) / 2**9).astype(np.float32) for _ in range(count + 1)
    )
    rights, out = np.array(rights), np.zeros(count, np.float32)
    _dots(count == DOTS, left, rights, out)
    assert out.tolist() == [by_hand(left, right) for right in rights]
