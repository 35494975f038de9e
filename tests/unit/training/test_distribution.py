"""Densities of layers: by hand, their sum, and the published layers of ResNet-50."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ipusim.training.distribution import DistributionError, WeightShape, layer_densities


def test_uniform_keeps_dense_layers() -> None:
    weights = [WeightShape("a", 4, 4), WeightShape("b", 8, 8)]
    assert layer_densities(weights, 0.25, "uniform", {"a"}) == {"a": 1.0, "b": 0.25}


def test_er_by_hand() -> None:
    weights = [WeightShape("a", 10, 10), WeightShape("b", 20, 5, (3, 3))]
    # raw shares 20 / 100 and 25 / 100 (no kernel); kept 0.1 * (100 + 900) = 100 = f (0.2 * 100 + 0.25 * 900)
    densities = layer_densities(weights, 0.1, "er")
    assert densities["a"] == pytest.approx(0.2 * 100 / 245)
    assert densities["b"] == pytest.approx(0.25 * 100 / 245)


def test_erk_counts_the_kernel() -> None:
    weights = [WeightShape("a", 10, 10, (1, 1)), WeightShape("b", 20, 5, (3, 3))]
    # raw shares 22 / 100 and 31 / 900
    densities = layer_densities(weights, 0.02, "erk")
    assert densities["a"] / densities["b"] == pytest.approx(22 / 100 / (31 / 900))


def test_a_layer_above_one_is_dense() -> None:
    weights = [WeightShape("small", 2, 2), WeightShape("large", 100, 100)]
    densities = layer_densities(weights, 0.5, "er")
    assert densities["small"] == 1.0
    assert densities["large"] == pytest.approx((0.5 * 10_004 - 4) / 10_000)


def test_dense_layers_may_be_too_many() -> None:
    with pytest.raises(DistributionError, match=r"more weights than the density 0\.1 keeps"):
        layer_densities([WeightShape("a", 9, 9), WeightShape("b", 9, 9)], 0.1, "erk", {"a"})


@given(
    st.lists(st.tuples(st.integers(1, 64), st.integers(1, 64), st.integers(1, 5)), min_size=1, max_size=8),
    st.floats(0.01, 1.0),
    st.sampled_from(["er", "erk"]),
)
def test_the_sum_is_what_is_asked_for(shapes: list[tuple[int, int, int]], density: float, distribution: str) -> None:
    weights = [WeightShape(str(index), m, k, (e, e)) for index, (m, k, e) in enumerate(shapes)]
    densities = layer_densities(weights, density, distribution)
    total = sum(each.n_weights for each in weights)
    assert all(0 < value <= 1 + 1e-12 for value in densities.values())
    assert sum(densities[each.name] * each.n_weights for each in weights) == pytest.approx(density * total)
