"""What the planner is asked: one matrix product and the machine it runs on, as plain numbers."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class MatMulProblem:
    """``groups`` independent products ``Y[m, n] = W[m, k] X[k, n]``.

    Attributes
    ----------
    groups, m, k, n : int
        Extents in elements.
    inputs_format, partials_format, output_format : str
        Number formats of the operands, of the partial sums and of the result.
    """

    groups: int
    m: int
    k: int
    n: int
    inputs_format: str
    partials_format: str
    output_format: str


@dataclass(frozen=True, slots=True)
class PlanOptions:
    """What a user can ask of the planner.

    Attributes
    ----------
    available_memory_proportion : float
        Fraction of a tile's SRAM that the temporary data of one operator may take (poplibs default 0.6).
    may_relax : bool
        Raise that bound when nothing meets it (see :func:`ipusim.plan.best_plan.best_plan`).
    resident : bool
        Operands and result have to be on the chip together: no plan helps if they cannot. Else some of them come in
        slice by slice.
    runners_up : int
        How many further plans are kept for explanation.
    """

    available_memory_proportion: float = 0.6
    may_relax: bool = True
    runners_up: int = 4
    resident: bool = True
