"""Parameters and multiply-adds of the templates against the numbers that their papers, or the usual code, give."""

from __future__ import annotations

from math import prod
from pathlib import Path
from typing import Any

import pytest

from ipusim.frontends.build import build_graph
from ipusim.frontends.models.registry import find_model
from ipusim.frontends.models.source import Generated, ModelContext
from ipusim.frontends.workload import load_workload
from ipusim.ops.registry import find_op

NORMALISED = {"batch_norm": True}

# Exact counts of the usual code (Hugging Face, torchvision, Keras), which the papers round.
PARAMETERS = [
    ("bert-base", {}, 109_482_240 + 2 * 768 + 2),  # the published models have no classifier
    ("bert-large", {}, 335_141_888 + 2 * 1024 + 2),
    ("gpt2", {}, 124_439_808),
    ("vit-b16", {}, 86_567_656),
    ("resnet50", NORMALISED, 25_557_032),
    ("mobilenet-v1", NORMALISED, 4_231_976),
    ("efficientnet-b0", NORMALISED, 5_288_548),
]

# Rounded, as published.
ROUNDED = [
    ("lstm", {"hidden": 1500, "features": 1500}, 66e6, 0.01),  # the large model of Zaremba et al.
    ("resnet50", {}, 25.56e6, 0.002),  # batch norms folded: one parameter less for each channel
]

# Billions of multiply-adds: He et al. and Howard et al. for an image of 224 x 224, Jiao et al. (TinyBERT, 22.5 billion
# operations) for 128 tokens.
MULTIPLY_ADDS = [
    ("resnet50", {}, 4.09e9),
    ("mobilenet-v1", {}, 569e6),
    ("efficientnet-b0", {}, 390e6),
    ("vit-b16", {}, 17.56e9),
    ("bert-base", {}, 22.5e9 / 2),
]


def generated(name: str, options: dict[str, Any]) -> Generated:
    source = find_model(name)
    return source.build(source.options(**options), ModelContext(Path(), "float16"))


def parameters(name: str, options: dict[str, Any]) -> int:
    model = generated(name, options)
    return sum(
        prod(model.tensors[weight]["shape"])
        for weight in model.weights
        if not weight.endswith(("norm.mean", "norm.variance"))
    )


@pytest.mark.parametrize(("name", "options", "published"), PARAMETERS)
def test_parameters(name: str, options: dict[str, Any], published: int) -> None:
    assert parameters(name, options) == published


@pytest.mark.parametrize(("name", "options", "published", "within"), ROUNDED)
def test_rounded_parameters(name: str, options: dict[str, Any], published: float, within: float) -> None:
    assert parameters(name, options) == pytest.approx(published, rel=within)


def test_parameters_of_the_recommendation_model() -> None:
    tables = 26 * 100_000 * 16
    networks = parameters("dlrm", {}) - tables
    assert networks + 33_762_577 * 16 == pytest.approx(540e6, rel=0.002)


@pytest.mark.parametrize(("name", "options", "published"), MULTIPLY_ADDS)
def test_multiply_adds(name: str, options: dict[str, Any], published: float) -> None:
    graph = build_graph(load_workload({"name": "network", "model": {name: options}}))
    total = 0
    for op in graph.ops:
        if op.kind in ("matmul", "conv2d"):
            inputs = tuple(graph.tensors[each] for each in op.inputs)
            outputs = tuple(graph.tensors[each] for each in op.outputs)
            total += find_op(op.kind).flops(inputs, outputs, op.attrs, tuple(each.n_elements for each in inputs)) // 2
    assert total == pytest.approx(published, rel=0.012)
