"""Products that were measured, simulated once each."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from functools import cache
from typing import Any

from ipusim.chip.model import Chip
from ipusim.engine.known_costs import KnownCosts
from ipusim.engine.timing import time_program
from ipusim.pipeline.compiling import Compiled, compile_workload
from ipusim.validation.constants import CONSTANTS, FittedConstant

DENSE, STATIC, DYNAMIC = "dense", "static", "dynamic"


@dataclass(frozen=True, slots=True)
class Case:
    """``Y[m, n] = W[m, m] X[m, n]``, as the published benchmark runs it.

    Attributes
    ----------
    method : str
        ``dense``, ``static`` or ``dynamic``.
    dtype : str
        Number format of all matrices and of dense and static partial sums.
    m, n : int
    block_size : int
    density : Fraction
        Of `W`, with the pattern of the benchmark.
    """

    method: str
    dtype: str
    m: int
    n: int
    block_size: int = 1
    density: Fraction = Fraction(1)

    @property
    def flops(self) -> float:
        """Useful operations: 2 per multiply-add, non-zeros only."""
        return 2 * self.m**2 * self.n * float(self.density)

    @property
    def pattern_key(self) -> tuple[object, ...]:
        """What cases with the same pattern have in common; they are quicker in one process."""
        return self.m, self.block_size, self.density, self.method

    def workload(self) -> dict[str, Any]:
        """Return the workload document."""
        weight: dict[str, Any] = {"shape": [self.m, self.m]}
        if self.method != DENSE:
            sparsity = {"density": str(self.density), "block_size": self.block_size, "mode": self.method}
            weight["sparsity"] = sparsity | {"pattern": "shuffled"}
        product: dict[str, Any] = {"op": "matmul", "inputs": ["w", "x"], "output": "y"}
        if self.method != DYNAMIC:
            product["partials"] = self.dtype
        return {
            "name": "measured",
            "dtype": self.dtype,
            "tensors": {"w": weight, "x": {"shape": [self.m, self.n]}},
            "ops": [product],
            "outputs": ["y"],
        }


@dataclass(frozen=True, slots=True)
class Figures:
    """What the model says of a case.

    Attributes
    ----------
    cycles : int or None
        None where there is no program, or none within the benchmark's bound on temporary memory.
    tile_bytes : int
        Memory of the fullest tile; 0 without a program.
    at : Mapping of str to tuple of int
        Cycles with every value of the grid of a fitted constant, by the constant's name.
    """

    cycles: int | None
    tile_bytes: int
    at: Mapping[str, tuple[int, ...]] = field(default_factory=dict)


def simulate_case(case: Case, chip: Chip) -> Figures:
    """Return the figures of a case through compiler and timing, as a user's workload gets them."""
    compiled = compile_workload(case.workload(), chip, levers=False)
    if compiled.program is None or compiled.memory is None or (case.method == DYNAMIC and _relaxed(compiled)):
        return Figures(None, 0)
    program, known = compiled.program, KnownCosts(compiled.program)

    def cycles(on: Chip) -> int:
        return time_program(program, on, known=known).cycles

    at = {
        constant.name: tuple(cycles(changed) for changed in _grid_of_chips(constant, chip))
        for constant in CONSTANTS
        if constant.method == case.method and case.dtype in constant.dtypes
    }
    return Figures(cycles(chip), compiled.memory.max_tile_bytes, at)


@cache
def _grid_of_chips(constant: FittedConstant, chip: Chip) -> tuple[Chip, ...]:
    """Return the chip with every value of a constant's grid."""
    return tuple(constant.chip_with(chip, value) for value in constant.grid)


def _relaxed(compiled: Compiled) -> bool:
    """Return whether the plan breaks the bound on temporary memory, where the benchmark has no figure."""
    return any(plan.to_dict()["relaxed"] for plan in compiled.plans.values())
