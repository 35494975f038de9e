"""The result of a comparison, as an object and as a document."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from ipusim.comparison.break_even import BreakEven, break_evens
from ipusim.comparison.cell import Cell
from ipusim.comparison.outcome import NOT_RUN
from ipusim.comparison.uncertainty import uncertainty_by_mode
from ipusim.report.compare_csv import comparison_rows
from ipusim.report.display import Displayed

SCHEMA = "ipusim-comparison-1"


@dataclass(frozen=True)
class Comparison(Displayed):
    """Dense against sparse.

    Attributes
    ----------
    workload, chip : str
        Their names.
    options : dict
        What was swept.
    seed : int
        Seed of all random values and patterns.
    versions : Mapping of str to str
        Of the packages that the result depends on.
    weights : Mapping of str to tuple of int
        The tensors that were made sparse, with their shapes in the workload.
    baselines : tuple of Cell
        The dense workload in every condition.
    cells : tuple of Cell
        Every sparse point, condition by condition.
    notes : tuple of str
        What to know when reading it.
    interrupted : bool
        Whether the user stopped it; the cells that were not run have no figures.
    limits : Mapping
        What it rests on and leaves out (see :func:`ipusim.pipeline.limits.limits`).
    """

    workload: str
    chip: str
    options: dict[str, Any]
    seed: int
    versions: Mapping[str, str]
    weights: Mapping[str, tuple[int, ...]]
    baselines: tuple[Cell, ...]
    cells: tuple[Cell, ...]
    notes: tuple[str, ...] = ()
    interrupted: bool = False
    limits: Mapping[str, Any] = field(default_factory=dict)

    @property
    def rows(self) -> list[dict[str, Any]]:
        """One flat dict per simulated point, the dense baselines first: ready for a table or a data frame."""
        return comparison_rows({"baselines": self._dicts(self.baselines), "cells": self._dicts(self.cells)})

    @cached_property
    def _break_evens(self) -> tuple[BreakEven, ...]:
        return break_evens(self.cells)

    def break_even(self) -> tuple[BreakEven, ...]:
        """Return the break-even density of each condition, mode and block size."""
        return self._break_evens

    @property
    def summary(self) -> list[str]:
        """What the comparison comes to, in sentences."""
        many = len(self.baselines) > 1
        lines = []
        for even in self.break_even():
            text = f"with {even.condition.text}, {even.sentence}." if many else f"{even.sentence}."
            lines.append(text[0].upper() + text[1:])
        return lines

    def to_dict(self) -> dict[str, Any]:
        """Return the comparison as a document: plain values, ready for JSON."""
        return {
            "schema": SCHEMA,
            "workload": self.workload,
            "chip": self.chip,
            "options": self.options,
            "seed": self.seed,
            "versions": dict(self.versions),
            "weights": {name: list(shape) for name, shape in self.weights.items()},
            "notes": list(self.notes),
            "interrupted": self.interrupted,
            "not_run": sum(cell.outcome.status == NOT_RUN for cell in (*self.baselines, *self.cells)),
            "baselines": self._dicts(self.baselines),
            "cells": self._dicts(self.cells),
            "break_even": [even.to_dict() for even in self.break_even()],
            "summary": self.summary,
            **self.limits,
            "uncertainty": uncertainty_by_mode((*self.baselines, *self.cells)),
        }

    @staticmethod
    def _dicts(cells: tuple[Cell, ...]) -> list[dict[str, Any]]:
        return [cell.to_dict() for cell in cells]

    def to_html(self) -> str:
        """Return the comparison as one HTML page that needs nothing else."""
        from ipusim.report.html.compare import render_comparison_page

        return render_comparison_page(self.to_dict())

    def display_texts(self) -> tuple[str, str]:
        """Return the report as plain text and as a piece of HTML without scripts."""
        from ipusim.report.compare import render_comparison
        from ipusim.report.html.compare import render_comparison_part

        document = self.to_dict()
        return render_comparison(document), render_comparison_part(document)
