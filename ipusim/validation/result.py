"""The result of a validation, as objects and as a document."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ipusim.report.display import Displayed
from ipusim.validation.constants import FittedConstant
from ipusim.validation.errors import Predicted, bias, error_factor, mean_error, right_side
from ipusim.validation.points import Source

SCHEMA = "ipusim-validation-1"


@dataclass(frozen=True, slots=True)
class SourceErrors:
    """The errors of one source.

    Attributes
    ----------
    source : Source
    points : tuple of Predicted
    """

    source: Source
    points: tuple[Predicted, ...]

    @property
    def ratios(self) -> list[float]:
        """Predicted over measured, where both exist."""
        return [point.ratio for point in self.points if point.ratio is not None]

    @property
    def worst(self) -> Predicted | None:
        """The point that is furthest off."""
        compared = [point for point in self.points if point.ratio is not None]
        return max(compared, key=lambda point: error_factor(point.ratio or 1), default=None)

    @property
    def problems(self) -> list[str]:
        """Which documented bands are left, in words."""
        band, worst, side = self.source.band, self.worst, right_side(self.points)
        found = []
        if (mean := mean_error(self.ratios)) > band.mean_error:
            found.append(f"mean error {mean:.1%}, documented {band.mean_error:.0%}")
        if band.worst_error is not None and worst and (off := error_factor(worst.ratio or 1) - 1) > band.worst_error:
            found.append(f"{worst.label} is off by {off:.1%}, documented {band.worst_error:.0%}")
        if band.right_side is not None and side is not None and side < band.right_side:
            found.append(f"{side:.1%} on the right side of 1, documented {band.right_side:.0%}")
        if misfits := [point.label for point in self.points if point.misfit]:
            found.append(f"model and hardware disagree on what fits: {', '.join(misfits)}")
        return found

    def to_dict(self) -> dict[str, Any]:
        """Return the errors as JSON-ready values."""
        source, worst = self.source, self.worst
        return {
            "name": source.name,
            "title": source.title,
            "citation": source.citation,
            "quantity": source.quantity,
            "unit": source.unit,
            "n_points": len(self.points),
            "n_not_fitting": sum(point.measured is None for point in self.points),
            "bias": bias(self.ratios),
            "mean_error": mean_error(self.ratios),
            "worst_error": error_factor(worst.ratio or 1) - 1 if worst else None,
            "worst_point": worst.label if worst else None,
            "right_side": right_side(self.points) if source.quantity == "speed-up" else None,
            "misfits": [point.label for point in self.points if point.misfit],
            "band": {
                "mean_error": source.band.mean_error,
                "worst_error": source.band.worst_error,
                "right_side": source.band.right_side,
            },
            "problems": self.problems,
            "note": source.note,
            "weak": source.weak,
            "points": [
                {
                    "label": point.label,
                    "series": point.series,
                    "measured": point.measured,
                    "predicted": point.predicted,
                    "ratio": point.ratio,
                }
                for point in self.points
            ],
        }


@dataclass(frozen=True, slots=True)
class ConstantErrors:
    """A fitted constant, fitted again to all series but one and tried on that one.

    Attributes
    ----------
    constant : FittedConstant
    packaged, best : float
        The chip's value, and the best of the grid on all points.
    n_points, n_series : int
    fitted_error : float
        Mean error at the best value.
    held_out_error : float
        Mean error of every series with the value that is best on the others.
    """

    constant: FittedConstant
    packaged: float
    best: float
    n_points: int
    n_series: int
    fitted_error: float
    held_out_error: float

    @property
    def problems(self) -> list[str]:
        """Which documented band is left, in words."""
        band = self.constant.held_out_band
        if self.held_out_error <= band:
            return []
        return [f"mean error of held-out series {self.held_out_error:.1%}, documented {band:.1%}"]

    def to_dict(self) -> dict[str, Any]:
        """Return the errors as JSON-ready values."""
        return {
            "name": self.constant.name,
            "unit": self.constant.unit,
            "meaning": self.constant.meaning,
            "source": self.constant.source,
            "packaged": self.packaged,
            "best": self.best,
            "n_points": self.n_points,
            "n_series": self.n_series,
            "fitted_error": self.fitted_error,
            "held_out_error": self.held_out_error,
            "held_out_band": self.constant.held_out_band,
            "problems": self.problems,
        }


@dataclass(frozen=True, slots=True)
class Validation(Displayed):
    """The model against all published measurements.

    Attributes
    ----------
    chip : str
    settings : tuple of str
        Overrides of chip fields.
    versions : dict
    sources : tuple of SourceErrors
    constants : tuple of ConstantErrors
    """

    chip: str
    settings: tuple[str, ...]
    versions: dict[str, str]
    sources: tuple[SourceErrors, ...]
    constants: tuple[ConstantErrors, ...]

    @property
    def passed(self) -> bool:
        """Whether every documented band is kept."""
        return not any([*(each.problems for each in self.sources), *(each.problems for each in self.constants)])

    def to_dict(self) -> dict[str, Any]:
        """Return the result document: plain values, ready for JSON."""
        return {
            "schema": SCHEMA,
            "chip": self.chip,
            "options": {"settings": list(self.settings)},
            "versions": self.versions,
            "passed": self.passed,
            "n_points": sum(len(errors.points) for errors in self.sources),
            "sources": [errors.to_dict() for errors in self.sources],
            "fitted_constants": [errors.to_dict() for errors in self.constants],
        }

    def to_html(self) -> str:
        """Return the validation as one HTML page that needs nothing else."""
        from ipusim.report.html.validation import render_validation_page

        return render_validation_page(self.to_dict())

    def display_texts(self) -> tuple[str, str]:
        """Return the report as plain text and as a piece of HTML without scripts."""
        from ipusim.report.html.validation import render_validation_part
        from ipusim.report.validation import render_validation

        document = self.to_dict()
        return render_validation(document), render_validation_part(document)
