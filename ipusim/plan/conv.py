"""Plans of convolutions: from a chip and a problem to the best cut, with the reasons."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from ipusim.chip.model import Chip
from ipusim.formats import number_format
from ipusim.plan.best_rows import best_rows
from ipusim.plan.conv_estimate import (
    AMP_1X1,
    AMP_NX1,
    HMAC,
    VERTICES,
    VMAC,
    Conv,
    ConvEstimate,
    ConvSplit,
    ConvVariant,
    estimate,
    total_cycles,
)
from ipusim.plan.conv_problem import ConvProblem
from ipusim.plan.dense import machine_of
from ipusim.plan.dense_estimate import Machine
from ipusim.plan.problem import PlanOptions


@dataclass(frozen=True, slots=True)
class ConvPlan:
    """How one convolution is cut over the tiles, and what the planner expects of it.

    Attributes
    ----------
    problem : ConvProblem
    variant : ConvVariant
        The vertex: AMP units, channels of a channel group, convolutions side by side.
    split : ConvSplit
    estimate : ConvEstimate
        Cycles by term and temporary bytes on the fullest tile.
    unit_channels : int
        Input channels that an AMP unit takes at once with a kernel of one.
    memory_bound_bytes : int
        The bound of the temporary bytes that the plan was found under.
    relaxed : bool
        True if no plan met ``available_memory_proportion`` and the bound had to be raised.
    runners_up : tuple of ConvPlan
        The next best plans, best first, without runners-up of their own.
    """

    problem: ConvProblem
    variant: ConvVariant
    split: ConvSplit
    estimate: ConvEstimate
    unit_channels: int
    memory_bound_bytes: int
    relaxed: bool
    runners_up: tuple[ConvPlan, ...] = ()

    @property
    def cycles(self) -> int:
        """Estimated cycles, the sum of the terms."""
        return total_cycles(self.estimate)

    @property
    def conv(self) -> Conv:
        """The problem as the estimate takes it."""
        return conv_of(self.problem)

    @property
    def tiles_used(self) -> int:
        """Number of tiles with work."""
        tiles = 1
        for parts in self.split:
            tiles *= parts
        return tiles

    def to_dict(self) -> dict[str, Any]:
        """Return the plan as JSON-ready values: partition, vertex, estimate by term, runners-up."""
        return {
            "strategy": "convolution",
            "partition": self.split._asdict(),
            "vertex": VERTICES[self.variant.vertex],
            "units": self.variant.units,
            "grain": {"inner": self.variant.in_channels, "outer": self.variant.out_channels},
            "side_by_side": self.variant.side if self.variant.side > 1 else None,
            "partials": self.problem.partials_format,
            "tiles_used": self.tiles_used,
            "estimated_cycles": self.cycles,
            "estimated_terms": {
                name: value for name, value in self.estimate._asdict().items() if name != "temporary_bytes" and value
            },
            "temporary_bytes": self.estimate.temporary_bytes,
            "memory_bound_bytes": self.memory_bound_bytes,
            "relaxed": self.relaxed,
            "runners_up": [plan.to_dict() for plan in self.runners_up],
        }


def conv_of(problem: ConvProblem) -> Conv:
    """Return a problem as the estimate takes it."""
    return Conv(
        problem.rank,
        problem.batch,
        problem.groups,
        problem.in_channels,
        problem.out_channels,
        *problem.field_in,
        *problem.field_out,
        *problem.kernel,
        *problem.stride,
        *problem.dilation,
        number_format(problem.inputs_format).bytes,
        number_format(problem.partials_format).bytes,
        number_format(problem.output_format).bytes,
    )


def conv_variants(problem: ConvProblem, chip: Chip) -> tuple[ConvVariant, ...]:
    """Return the vertices that can do `problem` on `chip` (dense reference, section 2.3).

    The AMP with all input channels of its units, one kernel element at a time; the AMP with all, a half or a quarter
    of them and as many kernel elements at once; where channels do not fill the units, a dot product (HMAC); and, for
    depthwise convolutions in 16 bits, sums of products of 4 channels, or 8 or 16 with 16-bit partials, at once (VMAC).
    Operands of 8 bits have the AMP alone.
    """
    modes = sorted(chip.amp_modes_for(problem.inputs_format, problem.partials_format), key=lambda mode: -mode.units)
    vector = chip.data_path_bytes // number_format(problem.inputs_format).bytes
    found: list[tuple[int, int, int, int, int]] = []
    for mode in modes:
        for outer in sorted({mode.units, max(mode.units, 4 * vector)}):
            if outer % mode.units:
                continue
            if problem.is_flat:
                found.append((AMP_1X1, mode.units, mode.in_channels, outer, 1))
            found += [
                (AMP_NX1, mode.units, mode.in_channels // height, outer, 1)
                for height in (1, 2, 4)
                if mode.in_channels // height >= vector and not (problem.is_flat and height == 1)
            ]
    if number_format(problem.inputs_format).bytes == 1:
        return tuple(ConvVariant(*variant) for variant in found)
    if modes and (problem.out_channels < modes[0].units or problem.in_channels < vector):
        outer = 2 if problem.partials_format == "float16" else 1
        found += [(HMAC, 0, channels, outer, 1) for channels in (2, 4, 16, 64) if channels < 4 * problem.in_channels]
    if modes and problem.inputs_format == "float16" and problem.in_channels == problem.out_channels == 1:
        sides = (4, 8, 16) if problem.partials_format == "float16" else (4,)
        found += [(VMAC, 0, 1, 1, side) for side in sides if side < 4 * problem.groups]
    return tuple(ConvVariant(*variant) for variant in found)


def plan_convolution(problem: ConvProblem, chip: Chip, options: PlanOptions | None = None) -> ConvPlan | None:
    """Return the plan with the least estimated cycles under the memory bound.

    The bound is that of :func:`ipusim.plan.dense.plan_matmul`, and is raised in the same way.

    Returns
    -------
    ConvPlan or None
        None if the chip has no AMP mode for the formats, or if nothing fits and raising the bound is pointless.
    """
    options = options or PlanOptions()
    variants = conv_variants(problem, chip)
    if not variants:
        return None
    limit = int(options.available_memory_proportion * chip.tile_sram_bytes)
    fits = problem.resident_bytes <= chip.n_tiles * chip.tile_sram_bytes
    if not fits and not options.may_relax:
        return None
    machine = machine_of(chip)
    may_relax = fits and options.may_relax
    rows, bound = best_rows("conv", machine, conv_of(problem), variants, limit, options.runners_up + 1, may_relax)
    plans = [_plan_from_row(problem, machine, variants, row, bound, bound > limit) for row in rows]
    return replace(plans[0], runners_up=tuple(plans[1:])) if plans else None


def _plan_from_row(
    problem: ConvProblem,
    machine: Machine,
    variants: tuple[ConvVariant, ...],
    row: tuple[int, ...],
    bound: int,
    relaxed: bool,
) -> ConvPlan:
    variant, split = variants[row[2]], ConvSplit(*row[3:10])
    terms = estimate(machine, conv_of(problem), variant, split)
    unit_channels = machine.amp_weight_bytes // number_format(problem.inputs_format).bytes
    return ConvPlan(problem, variant, split, terms, unit_channels, bound, relaxed)
