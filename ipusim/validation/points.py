"""Measured points and sources of them, with what the model has to say of each."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from ipusim.chip.model import Chip
from ipusim.validation.cases import Case, Figures
from ipusim.validation.constants import FittedConstant


@dataclass(frozen=True, slots=True)
class Model:
    """The simulated cases, at the packaged constants or with one of them changed.

    Attributes
    ----------
    chip : Chip
    figures : Mapping of Case to Figures
    constant : FittedConstant or None
        The constant that is changed.
    place : int
        Which value of its grid it has.
    """

    chip: Chip
    figures: Mapping[Case, Figures]
    constant: FittedConstant | None = None
    place: int = 0

    def cycles(self, case: Case) -> int | None:
        """Return the cycles of a case; None where it has none."""
        found = self.figures[case]
        if found.cycles is None or self.constant is None or self.constant.name not in found.at:
            return found.cycles
        return found.at[self.constant.name][self.place]

    def cycles_in_benchmark(self, case: Case) -> int | None:
        """Return the cycles of a sparse case; None where it would not fit beside what the benchmark keeps.

        The published benchmark holds all three matrices in float32 for the host, too (MODEL_SPARSE.md).
        """
        copies = 4 * (2 * case.m * case.n + case.m**2 * float(case.density)) / self.chip.n_tiles
        if self.figures[case].tile_bytes + int(copies) > self.chip.tile_sram_bytes:
            return None
        return self.cycles(case)

    def rate(self, case: Case, in_benchmark: bool = False) -> float | None:
        """Return the useful FLOP/s of a case; None where it has none."""
        cycles = self.cycles_in_benchmark(case) if in_benchmark else self.cycles(case)
        return case.flops / cycles * self.chip.clock_hz if cycles else None


Predict = Callable[[Model], float | None]


@dataclass(frozen=True, slots=True)
class Point:
    """A measured value.

    Attributes
    ----------
    label : str
        What was measured, in a few words.
    series : str
        What it was measured along with: a series is held out as a whole.
    measured : float or None
        None where the hardware had not enough memory.
    cases : tuple of Case
        What has to be simulated for it.
    predict : callable
        Makes the model's value from simulated cases: None where the model says that it does not fit.
    """

    label: str
    series: str
    measured: float | None
    cases: tuple[Case, ...]
    predict: Predict


@dataclass(frozen=True, slots=True)
class Band:
    """How far the model may be off before validation fails; None where nothing is claimed.

    Attributes
    ----------
    mean_error : float
        Geometric mean of the error factors, less 1.
    worst_error : float
        Largest error factor, less 1.
    right_side : float
        Least share of the speed-ups on the right side of 1, of those measured outside 0.9 to 1.1.
    """

    mean_error: float
    worst_error: float | None = None
    right_side: float | None = None


@dataclass(frozen=True, slots=True)
class Source:
    """Measurements of one kind from one place.

    Attributes
    ----------
    name, title : str
    citation : str
        Where they were published.
    quantity, unit : str
        What was measured.
    points : callable
        Returns the points.
    band : Band
    note : str
        What to know when reading the errors; empty where nothing.
    weak : str
        Where the model is weak; empty where nowhere in particular.
    """

    name: str
    title: str
    citation: str
    quantity: str
    unit: str
    points: Callable[[], tuple[Point, ...]]
    band: Band
    note: str = ""
    weak: str = ""
