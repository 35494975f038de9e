"""Power of simulated workloads beside the published power of the chips.

A machine holds four chips. The IPU-M2000 peaks at 1500 W with chips of 300 W, so four fifths of a machine's power are
taken to be the chips'. *Peak* is a float16 matmul near the largest that fits; *typical* are the dense layers of a
BERT-Large encoder for 1024 tokens, which sustain a little less than half of the AMP's peak, the most that applications
do according to the vendor. No constant was fitted to these figures.
"""

from __future__ import annotations

from typing import Any

import pytest

import ipusim

SHARE_OF_CHIPS = 4 * 300 / 1500
M2000_TYPICAL_W = 1000
BOW_2000_AVERAGE_W = 1250


def _matmul(weights: str, inputs: str, output: str) -> dict[str, Any]:
    return {"op": "matmul", "inputs": [weights, inputs], "output": output, "partials": "float16"}


PEAK: dict[str, Any] = {
    "name": "peak",
    "dtype": "float16",
    "tensors": {"w": {"shape": [5120, 3072]}, "x": {"shape": [3072, 8192]}},
    "ops": [_matmul("w", "x", "y")],
    "outputs": ["y"],
}
TYPICAL: dict[str, Any] = {
    "name": "bert-large-layer",
    "dtype": "float16",
    "tensors": {
        "qkv_weights": {"shape": [3072, 1024]},
        "out_weights": {"shape": [1024, 1024]},
        "up_weights": {"shape": [4096, 1024]},
        "down_weights": {"shape": [1024, 4096]},
        "x": {"shape": [1024, 1024]},
    },
    "ops": [
        _matmul("qkv_weights", "x", "qkv"),
        _matmul("out_weights", "x", "attended"),
        _matmul("up_weights", "attended", "up"),
        {"op": "relu", "inputs": ["up"], "output": "active"},
        _matmul("down_weights", "active", "y"),
    ],
    "outputs": ["qkv", "y"],
}


@pytest.mark.parametrize(
    ("chip", "workload", "published_w", "residual"),
    [
        ("gc200", PEAK, 300, -0.09),
        ("gc200", TYPICAL, M2000_TYPICAL_W / 4 * SHARE_OF_CHIPS, +0.03),
        ("bow", TYPICAL, BOW_2000_AVERAGE_W / 4 * SHARE_OF_CHIPS, -0.02),
    ],
)
def test_power_is_within_15_percent_of_the_published(
    chip: str, workload: dict[str, Any], published_w: float, residual: float
) -> None:
    power = ipusim.simulate(workload, chip).power_w
    assert power is not None
    assert power == pytest.approx(published_w, rel=0.15)
    assert power / published_w - 1 == pytest.approx(residual, abs=0.03)


def test_the_typical_workload_sustains_at_most_half_of_the_peak() -> None:
    fraction = ipusim.simulate(TYPICAL, "gc200").fraction_of_peak
    assert fraction is not None
    assert 0.4 < fraction <= 0.5
