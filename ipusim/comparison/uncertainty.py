"""How far off the cells of a comparison may be, by mode."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Any

from ipusim.comparison.cell import Cell


def uncertainty_by_mode(cells: Iterable[Cell]) -> list[dict[str, Any]]:
    """Return how far off the cycles may be, of the cells of each mode that have figures.

    Returns
    -------
    list of dict
        ``mode``; ``cells`` with figures; ``validated_cells``, whose cycles all lie in products that were held against
        hardware; ``mean_error``, the mean of those cells', and ``worst_error``, the largest of them (None without any);
        ``outside``: why the others are not among them, most cells first.
    """
    modes: dict[str, list[dict[str, Any]]] = {}
    for cell in cells:
        if cell.outcome.uncertainty is not None:
            modes.setdefault(cell.point.mode, []).append(dict(cell.outcome.uncertainty))
    return [{"mode": mode, **_together(found)} for mode, found in modes.items()]


def _together(found: list[dict[str, Any]]) -> dict[str, Any]:
    inside = [each for each in found if each["mean_error"] is not None and not each["outside"]]
    reasons = Counter(reason for each in found for reason in each["outside"])
    return {
        "cells": len(found),
        "validated_cells": len(inside),
        "mean_error": sum(each["mean_error"] for each in inside) / len(inside) if inside else None,
        "worst_error": max((each["worst_error"] for each in inside), default=None),
        "outside": sorted(reasons, key=lambda reason: (-reasons[reason], reason)),
    }
