"""Room for values: aligned, and handed on where it is reused."""

from __future__ import annotations

import numpy as np
import pytest

from ipusim.kernels.buffers import LINE_ELEMENTS, Buffers


@pytest.mark.parametrize("n_elements", [1, 17, 1000])
def test_arrays_start_on_a_cache_line(n_elements):
    array = Buffers().take(n_elements)
    assert array.shape == (n_elements,)
    assert array.dtype == np.float32
    assert array.ctypes.data % (4 * LINE_ELEMENTS) == 0


@pytest.mark.parametrize("reused", [False, True])
def test_room_is_handed_on_to_who_wants_as_much(reused):
    buffers = Buffers(reused)
    given, kept = buffers.take(40), buffers.take(40)
    buffers.give(given)
    assert (buffers.take(41) is given) is False
    assert (buffers.take(40) is given) is reused
    assert not np.shares_memory(buffers.take(40), kept)
