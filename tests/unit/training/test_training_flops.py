"""FLOPs of sparse training: by hand, and RigL's published table for ResNet-50."""

from __future__ import annotations

from functools import cache

import pytest

from ipusim.frontends.build import assemble_graph
from ipusim.frontends.workload import load_workload
from ipusim.training.distribution import layer_densities
from ipusim.training.flops import PruneSchedule, forward_fraction, stored_bytes, training_fraction
from ipusim.training.layers import Layer, other_flops, weight_layers

# distribution, sparsity, FLOPs of training (5x as long) and of inference over dense, MB (Evci et al., published code)
PUBLISHED = [
    ("erk", 0.8, 2.09, 0.42, 23.683),
    ("uniform", 0.8, 1.14, 0.23, 23.685),
    ("erk", 0.9, 1.23, 0.24, 13.499),
    ("uniform", 0.9, 0.66, 0.13, 13.532),
    ("erk", 0.95, 0.63, 0.12, 8.399),
    ("uniform", 0.95, 0.42, 0.08, 8.433),
    ("erk", 0.965, 0.45, 0.09, 6.904),
    ("uniform", 0.965, 0.34, 0.07, 6.904),
]
# fractions of an independent count of the layers alone, same section
LAYERS_ALONE = {
    "uniform": (0.2231, 0.1260, 0.0774, 0.0628),
    "erk": (0.4138, 0.2418, 0.1217, 0.0852),
    "er": (0.4530, 0.2571, 0.1426, 0.1082),
}
SPARSITIES = (0.8, 0.9, 0.95, 0.965)


@cache
def resnet50() -> tuple[tuple[Layer, ...], int]:
    graph = assemble_graph(load_workload({"name": "resnet50", "model": "resnet50"}))
    layers = weight_layers(graph)
    return layers, other_flops(graph, layers)


def densities(distribution: str, sparsity: float) -> dict[str, float]:
    weights = [layer.weight for layer in resnet50()[0]]
    dense = {weights[0].name} if distribution == "uniform" else set()
    return dict(layer_densities(weights, 1.0 - sparsity, distribution, dense))


def test_the_layers_of_resnet50() -> None:
    layers, _ = resnet50()
    assert sum(layer.weight.n_weights for layer in layers) == 25_502_912
    assert sum(layer.forward_flops for layer in layers) == pytest.approx(8.178e9, rel=1e-4)


@pytest.mark.parametrize("distribution", LAYERS_ALONE)
def test_fractions_of_the_layers_alone(distribution: str) -> None:
    flops = {layer.weight.name: float(layer.forward_flops) for layer in resnet50()[0]}
    found = [forward_fraction(densities(distribution, each), flops) for each in SPARSITIES]
    assert [round(each, 4) for each in found] == list(LAYERS_ALONE[distribution])


@pytest.mark.parametrize(("distribution", "sparsity", "train", "test", "megabytes"), PUBLISHED)
def test_the_published_table(distribution: str, sparsity: float, train: float, test: float, megabytes: float) -> None:
    layers, others = resnet50()
    flops = {layer.weight.name: float(layer.forward_flops) for layer in layers}
    kept = densities(distribution, sparsity)
    fraction = forward_fraction(kept, flops, others)
    assert fraction == pytest.approx(test, rel=0.02, abs=0.005)
    assert 5 * training_fraction("rigl", fraction) == pytest.approx(train, rel=0.02, abs=0.005)
    n_kept = sum(kept[layer.weight.name] * layer.weight.n_weights for layer in layers)
    n_biases = sum(layer.weight.n_out for layer in layers)
    stored = stored_bytes(25_502_912, round(n_kept), n_dense=n_biases)
    assert stored / 1e6 == pytest.approx(megabytes, rel=0.02)


def test_training_fractions_by_hand() -> None:
    assert training_fraction("dense", 0.1) == 1.0
    assert training_fraction("static", 0.1) == training_fraction("set", 0.1) == 0.1
    assert training_fraction("snfs", 0.1) == pytest.approx(1.2 / 3)
    assert training_fraction("rigl", 0.1, update_every=1) == pytest.approx((0.3 + 0.2 + 1) / 6)
    at_once = PruneSchedule(begin=5, end=6, every=1, steps=10)
    # steps 0 to 5 are dense, 6 to 9 sparse
    assert training_fraction("prune", 0.5, schedule=at_once) == pytest.approx(0.6 + 0.4 * 0.5)


@cache
def mobilenet() -> tuple[tuple[Layer, ...], int]:
    graph = assemble_graph(load_workload({"name": "mobilenet", "model": "mobilenet-v1"}))
    layers = weight_layers(graph)
    return layers, other_flops(graph, layers)


def test_mobilenet_dense_and_its_size() -> None:
    """Published: 1.14e9 FLOPs and 16.864 MB dense, 2.392 MB at a sparsity of 0.89."""
    layers, others = mobilenet()
    weights = [layer.weight for layer in layers]
    n_weights, n_biases = sum(each.n_weights for each in weights), sum(each.n_out for each in weights)
    assert sum(layer.forward_flops for layer in layers) + others == pytest.approx(1.14e9, rel=0.01)
    assert 4e-6 * (n_weights + n_biases) == pytest.approx(16.864, rel=0.02)
    for distribution in ("uniform", "erk"):
        dense = {weights[0].name} if distribution == "uniform" else set()
        kept = layer_densities(weights, 0.11, distribution, dense)
        n_kept = round(sum(kept[each.name] * each.n_weights for each in weights))
        assert stored_bytes(n_weights, n_kept, n_dense=n_biases) / 1e6 == pytest.approx(2.392, rel=0.02)


def test_the_reading_of_mobilenet_that_gives_the_uniform_multiplier() -> None:
    """A tenth of all weights kept, the first and the depthwise layers dense and not counted beside the sparse ones."""
    layers, _ = mobilenet()
    dense = {layer.weight.name for layer in layers if not layer.may_be_sparse} | {layers[0].weight.name}
    total = sum(layer.weight.n_weights for layer in layers)
    n_dense = sum(layer.weight.n_weights for layer in layers if layer.weight.name in dense)
    density = (0.1 * total - n_dense) / (total - n_dense)
    flops = {layer.weight.name: float(layer.forward_flops) for layer in layers}
    sparse = sum(density * flops[name] for name in flops if name not in dense)
    assert round(sparse / sum(flops.values()), 2) == 0.09
