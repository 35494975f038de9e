"""FLOPs of sparse training: by hand, and RigL's published figures for ResNet-50 and MobileNet-v1."""

from __future__ import annotations

from functools import cache

import pytest

from ipusim.frontends.build import assemble_graph
from ipusim.frontends.workload import load_workload
from ipusim.training.distribution import layer_densities
from ipusim.training.flops import PruneSchedule, forward_fraction, stored_bytes, training_fraction
from ipusim.training.layers import Layer, weight_layers

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
def layers_of(model: str) -> tuple[Layer, ...]:
    return weight_layers(assemble_graph(load_workload({"name": model, "model": model})))


@cache
def published_count(model: str) -> dict[str, float]:
    """FLOPs of each layer as RigL's notebooks count them, and one for each result of a layer.

    A result of n products takes n - 1 additions, one more for a bias and one for a rectifier. Of a depthwise layer the
    notebook takes the results of one channel alone. Where an image is padded before a strided convolution, it is
    counted as if padded again: 115 rows for 112 in ResNet-50, and one more in each strided layer of MobileNet-v1.
    """
    graph = assemble_graph(load_workload({"name": model, "model": model}))
    ops = {op.name: op for op in graph.ops}
    found, results = {}, 0.0
    for index, layer in enumerate(layers_of(model)):
        op = ops[layer.op]
        _, channels, *image = graph.tensors[op.outputs[0]].shape
        rows = image[0] if image else 1
        counted = rows
        if model == "resnet50" and index == 0:
            counted = rows + 3
        if model == "mobilenet-v1" and op.attrs.get("stride", 1) != 1:
            counted = rows + 1
        found[layer.weight.name] = layer.forward_flops * (counted / rows) ** 2
        results += counted**2 * (channels if layer.may_be_sparse else 1)
    return found | {"biases and rectifiers": results}


def densities(distribution: str, sparsity: float) -> dict[str, float]:
    weights = [layer.weight for layer in layers_of("resnet50")]
    dense = {weights[0].name} if distribution == "uniform" else set()
    return dict(layer_densities(weights, 1.0 - sparsity, distribution, dense))


def test_the_layers_of_resnet50() -> None:
    layers = layers_of("resnet50")
    assert sum(layer.weight.n_weights for layer in layers) == 25_502_912
    assert sum(layer.forward_flops for layer in layers) == pytest.approx(8.178e9, rel=1e-4)


@pytest.mark.parametrize("distribution", LAYERS_ALONE)
def test_fractions_of_the_layers_alone(distribution: str) -> None:
    flops = {layer.weight.name: float(layer.forward_flops) for layer in layers_of("resnet50")}
    found = [forward_fraction(densities(distribution, each), flops) for each in SPARSITIES]
    assert [round(each, 4) for each in found] == list(LAYERS_ALONE[distribution])


@pytest.mark.parametrize(("distribution", "sparsity", "train", "test", "megabytes"), PUBLISHED)
def test_the_published_table(distribution: str, sparsity: float, train: float, test: float, megabytes: float) -> None:
    layers = layers_of("resnet50")
    kept = densities(distribution, sparsity)
    fraction = forward_fraction(kept, published_count("resnet50"))
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


# sparsity, what stays dense, distribution: MFLOPs of an inference, MB (as saved in RigL's MobileNet_Counting.ipynb)
MOBILENET = [
    (0.0, "none", "uniform", 1141.544, 16.864),
    (0.75, "depthwise", "erk", 599.144, 4.888),
    (0.75, "first and depthwise", "uniform", 330.769, 4.894),
    (0.85, "depthwise", "erk", 439.152, 3.224),
    (0.85, "first and depthwise", "uniform", 222.666, 3.229),
    (0.9, "depthwise", "erk", 334.134, 2.392),
    (0.9, "first and depthwise", "uniform", 168.614, 2.396),
    (0.95, "depthwise", "erk", 205.281, 1.560),
    (0.95, "first and depthwise", "uniform", 114.563, 1.563),
    (0.75, "first", "erk", 588.355, 4.757),
    (0.85, "first", "erk", 422.419, 3.075),
    (0.9, "first", "erk", 312.956, 2.235),
    (0.95, "first", "erk", 180.359, 1.393),
]


@pytest.mark.parametrize(("sparsity", "dense", "distribution", "mflops", "megabytes"), MOBILENET)
def test_the_published_counts_of_mobilenet(
    sparsity: float, dense: str, distribution: str, mflops: float, megabytes: float
) -> None:
    """FLOPs to one in a thousand; sizes: kept weights, a bit for each position of a sparse layer, biases."""
    layers, flops = layers_of("mobilenet-v1"), published_count("mobilenet-v1")
    stay = {layers[0].weight.name} if "first" in dense else set()
    if "depthwise" in dense:
        stay |= {layer.weight.name for layer in layers if not layer.may_be_sparse}
    sparse = [layer.weight for layer in layers if layer.weight.name not in stay]
    kept = layer_densities(sparse, 1.0 - sparsity, distribution, set())
    assert forward_fraction(kept, flops) * sum(flops.values()) == pytest.approx(mflops * 1e6, rel=1e-3)
    n_positions = sum(each.n_weights for each in sparse if kept[each.name] < 1.0)
    n_kept = round(sum(kept[each.name] * each.n_weights for each in sparse))
    n_biases = sum(layer.weight.n_out for layer in layers if layer.may_be_sparse)
    n_dense = sum(layer.weight.n_weights for layer in layers if layer.weight.name in stay)
    stored = stored_bytes(n_positions, n_kept, n_dense=n_dense + n_biases)
    assert stored / 1e6 == pytest.approx(megabytes, rel=2e-3)


def test_the_published_training_multipliers_of_mobilenet() -> None:
    """1.25 for a uniform training ten times as long, 2.79 for ERK: everything is sparse but the first layer."""
    sparse = [layer.weight for layer in layers_of("mobilenet-v1")[1:]]
    for distribution, published in (("uniform", 1.25), ("erk", 2.79)):
        kept = layer_densities(sparse, 0.1, distribution, set())
        fraction = forward_fraction(kept, published_count("mobilenet-v1"))
        assert 10 * training_fraction("rigl", fraction) == pytest.approx(published, rel=0.02)
