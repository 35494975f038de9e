"""A result as one JSON document."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Any

_ORDER = (
    *("schema", "workload", "chip", "options", "seed", "versions"),
    *("cycles", "seconds", "flops", "tflops", "peak_tflops", "fraction_of_peak", "energy_j"),
    *("energy", "energy_note", "power_w", "tflops_per_w", "area_mm2"),
    *("cycles_by_phase", "supersteps", "tiles_used", "idle_fraction", "memory", "ops", "insights"),
    *("check", "infeasible", "not_modelled", "assumed_constants", "uncertainty", "constants", "profile"),
)


def render_json(document: Mapping[str, Any] | list[Any]) -> str:
    """Return `document` as indented JSON with a final line break.

    The keys of a result stand in the order of the contract, further ones after them by name; keys further in keep the
    order in which they were made. Numbers that JSON does not have (NaN, infinities) become null.

    Raises
    ------
    TypeError
        When a value is none that JSON has.
    """
    return json.dumps(plain_value(_ordered(document)), indent=2, ensure_ascii=False, allow_nan=False) + "\n"


def _ordered(document: Mapping[str, Any] | list[Any]) -> Any:
    if not isinstance(document, Mapping) or "schema" not in document:
        return document
    known = [key for key in _ORDER if key in document]
    return {key: document[key] for key in (*known, *sorted(set(document) - set(known)))}


def plain_value(value: Any) -> Any:
    """Return `value` as plain values that JSON has; NaN and infinities become None."""
    if isinstance(value, Mapping):
        return {str(key): plain_value(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain_value(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if hasattr(value, "item") and not isinstance(value, (str, bytes)):
        return plain_value(value.item())
    return value
