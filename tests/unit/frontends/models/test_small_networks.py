"""Small variants of every template: compiled for a few tiles, executed, and checked op by op."""

from __future__ import annotations

from typing import Any

import pytest

from ipusim.frontends.models.registry import find_model, model_names
from ipusim.pipeline.simulation import simulate

TOKENS: dict[str, Any] = {"layers": 1, "hidden": 32, "heads": 2, "batch": 2}
SMALL: dict[str, list[dict[str, Any]]] = {
    "mlp": [{"features": [16, 24, 8], "batch": 4}, {"features": [16, 8], "bias": False}],
    "transformer": [
        TOKENS | {"ffn": 64, "sequence": 6},
        TOKENS | {"ffn": 64, "sequence": 6, "kind": "decoder", "norm_position": "pre", "vocabulary": 50},
        TOKENS
        | {"kind": "decoder", "phase": "decode", "heads": 4, "kv_heads": 2, "ffn": 48, "sequence": 7, "bias": False}
        | {"norm": "rms_norm", "norm_position": "pre", "activation": "silu", "gated": True},
    ],
    "bert-base": [
        TOKENS | {"ffn": 64, "sequence": 6, "vocabulary": 40, "positions": 8},
        TOKENS | {"ffn": 64, "sequence": 8, "vocabulary": 40, "positions": 8, "batch": 1, "head": "span"},
    ],
    "bert-large": [TOKENS | {"ffn": 32, "sequence": 4, "head": "none", "embeddings": False}],
    "gpt2": [
        TOKENS | {"sequence": 7, "vocabulary": 40, "positions": 8},
        TOKENS | {"sequence": 6, "vocabulary": 40, "positions": 8, "phase": "prefill"},
    ],
    "vit-b16": [TOKENS | {"ffn": 64, "image": 16, "patch": 8, "classes": 5}],
    "resnet50": [
        {"image": 32, "width": 4, "blocks": [1, 1, 1, 1], "classes": 6},
        {"image": 33, "width": 4, "blocks": [1, 1, 1, 1], "classes": 6, "batch": 2, "batch_norm": True},
    ],
    "mobilenet-v1": [{"image": 32, "width": 0.125, "classes": 6}],
    "efficientnet-b0": [{"image": 32, "classes": 6, "blocks": [1, 1, 1, 1, 1, 1, 1]}],
    "lstm": [
        {"hidden": 8, "features": 6, "sequence": 2, "batch": 3, "vocabulary": 20},
        {"layers": 1, "hidden": 8, "features": 6, "sequence": 2, "batch": 3, "vocabulary": None},
    ],
    "dlrm": [
        {"batch": 4, "dense": 3, "tables": 3, "rows": 20, "features": 4, "bottom": [8, 4], "top": [8, 1]},
    ],
}
CASES = [(name, options) for name, variants in SMALL.items() for options in variants]


def test_every_template_is_here() -> None:
    templates = {name for name in model_names() if not find_model(name).needs_options}
    assert templates == SMALL.keys()


@pytest.mark.parametrize(("name", "options"), CASES)
def test_executed_and_checked(name: str, options: dict[str, Any]) -> None:
    workload = {"name": name, "model": {name: options}}
    run = simulate(workload, "bow", execute=True, settings=["n_tiles=16"], explain=False)
    assert run.infeasible is None
    assert run.check["passed"] is True
    assert run.check["max_rel_error"] > 0
