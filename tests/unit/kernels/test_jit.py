"""Tests for compiling formulas."""

from __future__ import annotations

import pytest

from ipusim.files.units import parse_number
from ipusim.kernels.jit import compiled, source_digest


def test_formulas_outside_the_rooms_that_key_the_cache_are_refused():
    with pytest.raises(ValueError, match=r"not from ipusim\.files\.units"):
        compiled(parse_number)


def test_digests_tell_rooms_apart():
    assert len({source_digest(), source_digest("cost"), source_digest("cost", "plan"), source_digest("plan")}) == 4
