"""Levers that the compiler took, in words."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

_NAMED = 3


def lever_words(lever: Mapping[str, Any]) -> str:
    """Return one lever, with the ops or tensors that it concerns; of many, the first."""
    targets = list(lever["targets"])
    named = ", ".join(targets[:_NAMED])
    rest = f" and {len(targets) - _NAMED} more" if len(targets) > _NAMED else ""
    return f"{lever['lever']}: {lever['what']}: {named}{rest}"
