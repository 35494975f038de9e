"""The learning rate in every step."""

from __future__ import annotations

from math import cos, pi

from ipusim.frontends.training_entry import LearningRateEntry


def learning_rate(entry: LearningRateEntry, step: int, steps: int) -> float:
    """Return the learning rate of a step, counted from 0, before the optimiser's own correction.

    While it warms up it rises by equal parts; then ``constant``, ``cosine``: ``η / 2 (1 + cos(π t / T))`` over the
    steps that remain, or ``steps``: times ``factor`` every ``every`` steps.
    """
    value = float(entry.value)
    if step < entry.warmup:
        return value * (step + 1) / (entry.warmup + 1)
    after = step - entry.warmup
    if entry.schedule == "cosine":
        return value / 2.0 * (1.0 + cos(pi * after / max(1, steps - entry.warmup)))
    if entry.schedule == "steps":
        return float(value * entry.factor ** (after // entry.every))
    return value
