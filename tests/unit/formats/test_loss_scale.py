"""The rule of dynamic loss scaling, and what it is for."""

import numpy as np
import pytest

from ipusim.formats import round_to_format
from ipusim.formats.loss_scale import LARGEST, LEAST, LossScale, count_non_finite


def test_it_halves_at_an_overflow_and_doubles_after_enough_good_steps():
    scale = LossScale(1024.0, growth_interval=3)
    seen = []
    for overflow in (0, 0, 0, 1, 0, 0, 1, 0, 0, 0, 0):
        scale = scale.after_step(overflow)
        seen.append(scale.scale)
    assert seen == [1024, 1024, 2048, 1024, 1024, 1024, 512, 512, 512, 1024, 1024]
    assert scale.good_steps == 1


def test_a_static_scale_stays():
    scale = LossScale(8.0, growth_interval=0)
    assert scale.after_step(5) is scale
    assert scale.after_step(0) is scale


def test_the_range_ends():
    assert LossScale(LARGEST, growth_interval=1).after_step(0).scale == LARGEST
    assert LossScale(LEAST).after_step(1).scale == LEAST


@pytest.mark.parametrize("scale", [0.0, 3.0, -2.0, float("inf"), float("nan"), 2.0**40])
def test_only_powers_of_two_are_scales(scale):
    with pytest.raises(ValueError, match="power of two"):
        LossScale(scale)
    with pytest.raises(ValueError, match="negative"):
        LossScale(growth_interval=-1)


@pytest.mark.parametrize("name", ["float16", "float8_e5m2fnuz"])
def test_small_gradients_survive_and_large_ones_are_found(name):
    """The scale settles where the largest gradient just fits, and the small ones are no longer zero."""
    gradients = (np.random.default_rng(0).normal(size=4096) * 1e-8).astype(np.float32)
    scale = LossScale(2.0**31, growth_interval=2)
    assert np.count_nonzero(round_to_format(gradients, name)) < len(gradients) / 2
    overflows = 0
    for _ in range(40):
        held = round_to_format(gradients * np.float32(scale.scale) * 1e4, name)
        found = count_non_finite([held])
        overflows += found > 0
        last = scale
        scale = scale.after_step(found)
    assert overflows > 0
    assert last.scale in (scale.scale, scale.scale / 2, scale.scale * 2)
    kept = round_to_format(gradients * np.float32(scale.scale), name) / np.float32(scale.scale)
    assert np.count_nonzero(kept) > 0.99 * len(gradients)
    assert np.abs(kept - gradients).max() < 0.13 * np.abs(gradients).max()


def test_non_finite_numbers_are_counted():
    assert count_non_finite([np.array([1, np.nan, np.inf], np.float32), np.array([-np.inf, 0], np.float32)]) == 3
    assert count_non_finite([]) == 0
