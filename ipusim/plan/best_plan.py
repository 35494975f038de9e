"""The best plan of a dense product or a convolution, and what both kinds of plan tell of themselves."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, TypeVar

from ipusim.plan.best_rows import best_rows
from ipusim.plan.dense_estimate import Machine
from ipusim.plan.problem import PlanOptions

P = TypeVar("P")
BuildPlan = Callable[[tuple[int, ...], int, bool], P]
"""``build(row, bound, relaxed)``: the plan in a row of the search, found under a bound of bytes."""


def best_plan(
    kind: str,
    machine: Machine,
    work: Any,
    variants: Sequence[tuple[int, ...]],
    options: PlanOptions,
    resident_bytes: int,
    build: BuildPlan[P],
) -> P | None:
    """Return the plan with the least estimated cycles under the memory bound, with its runners-up.

    The bound is ``available_memory_proportion`` of a tile's SRAM for the temporary bytes. As in poplibs, it is doubled
    until a plan is found, up to twice the SRAM, and then dropped (dense reference, section 2.13); it is not raised
    when operands and result together do not fit on the chip, for then no plan runs anyway.

    Parameters
    ----------
    kind : str
        ``dense`` or ``conv``: whose search.
    machine, work : named tuples of int
        The chip, and what has to be computed.
    variants : sequence of named tuples of int
        The vertices to choose from.
    options : PlanOptions
    resident_bytes : int
        What has to be on the chip together.
    build : callable
        Makes a plan, a dataclass with ``runners_up``, of a row of the search.

    Returns
    -------
    plan or None
        None if there is no vertex, or if nothing fits and raising the bound is pointless.
    """
    fits = resident_bytes <= machine.n_tiles * machine.tile_sram_bytes
    if not variants or not (fits or options.may_relax):
        return None
    limit = int(options.available_memory_proportion * machine.tile_sram_bytes)
    kept, may_relax = options.runners_up + 1, fits and options.may_relax
    rows, bound = best_rows(kind, machine, work, tuple(variants), limit, kept, may_relax)
    plans: list[Any] = [build(row, bound, bound > limit) for row in rows]
    return replace(plans[0], runners_up=tuple(plans[1:])) if plans else None


def estimate_entries(plan: Any) -> dict[str, Any]:
    """Return what a plan of either kind says of its estimate, as JSON-ready values."""
    terms = plan.estimate._asdict()
    return {
        "partials": plan.problem.partials_format,
        "tiles_used": plan.tiles_used,
        "estimated_cycles": plan.cycles,
        "estimated_terms": {name: value for name, value in terms.items() if name != "temporary_bytes" and value},
        "temporary_bytes": plan.estimate.temporary_bytes,
        "memory_bound_bytes": plan.memory_bound_bytes,
        "relaxed": plan.relaxed,
        "runners_up": [runner_up.to_dict() for runner_up in plan.runners_up],
    }
