"""Figures of now beside figures of earlier, relative to how fast the machine was."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

SCHEMA = "ipusim-bench-1"
Results = Mapping[str, Mapping[str, float]]


@dataclass(frozen=True, slots=True)
class Change:
    """A figure of now and of earlier.

    Attributes
    ----------
    bench, label : str
    before, now : float
    better : float or None
        How many times better it is now, on a machine as fast as then; None of what is neither good nor bad.
    """

    bench: str
    label: str
    before: float
    now: float
    better: float | None


def kind_of(label: str) -> str:
    """Return what a label's unit makes of its figure: a ``time``, a ``rate``, a ``size``, a ``ratio`` or nothing."""
    if label.endswith(("(s)", "(ms)", "(CPU s)")):
        return "time"
    if label.endswith(("(MiB)", "(MB)", "(KiB)", "(B)")):
        return "size"
    if "per second" in label or "per CPU second" in label:
        return "rate"
    return "ratio" if "relative to" in label else ""


def changes(now: Mapping[str, Any], before: Mapping[str, Any]) -> list[Change]:
    """Return the figures that both documents have.

    Times and rates are scaled by the calibration of each run: `better` is 1 where a figure has only changed as much as
    the machine has. Sizes and ratios are compared as they are.
    """
    slower = now["calibration_s"] / before["calibration_s"]
    found = []
    for bench, figures in now["figures"].items():
        earlier = before["figures"].get(bench, {})
        for label, value in figures.items():
            if label in earlier:
                found.append(Change(bench, label, earlier[label], value, _better(label, earlier[label], value, slower)))
    return found


def _better(label: str, before: float, now: float, slower: float) -> float | None:
    if before <= 0 or now <= 0:
        return None
    factors = {
        "time": before * slower / now,
        "rate": now * slower / before,
        "size": before / now,
        "ratio": now / before,
    }
    return factors.get(kind_of(label))


def read_figures(path: Path) -> dict[str, Any]:
    """Return a document of figures.

    Raises
    ------
    ValueError
        For a file that is none.
    """
    document = json.loads(path.read_text())
    if not isinstance(document, dict) or document.get("schema") != SCHEMA:
        raise ValueError(f"{path} has no figures of scripts/bench.py")
    return document
