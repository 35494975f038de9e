"""How far off the cells of a comparison may be, by mode."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from ipusim.comparison.cell import Cell
from ipusim.pipeline.bands import Bands


def uncertainty_by_mode(cells: Iterable[Cell]) -> list[dict[str, Any]]:
    """Return how far off the cycles may be, of the cells of each mode that have figures.

    Returns
    -------
    list of dict
        ``mode``; ``cells`` with figures; ``validated_cells``, whose cycles all lie in products that were held against
        hardware; ``mean_error``, the mean of those cells', and ``worst_error``, the largest of them (None without any);
        ``outside``: why the others are not among them, most cells first.
    """
    modes: dict[str, Bands] = {}
    for cell in cells:
        if cell.outcome.uncertainty is not None:
            modes.setdefault(cell.point.mode, Bands()).add(cell.outcome.uncertainty)
    return [
        {"mode": mode, "cells": found.n_results, "validated_cells": found.n_validated, **found.to_dict()}
        for mode, found in modes.items()
    ]
