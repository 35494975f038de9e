"""Plans of convolutions: from a chip and a problem to the best cut, with the reasons."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ipusim.chip.model import Chip
from ipusim.formats import number_format
from ipusim.plan.best_plan import best_plan, estimate_entries
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
            **estimate_entries(self),
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

    The bound is that of :func:`ipusim.plan.best_plan.best_plan`, and is raised as there.

    Returns
    -------
    ConvPlan or None
        None if the chip has no AMP mode for the formats, or if nothing fits and raising the bound is pointless.
    """
    machine, work, variants = machine_of(chip), conv_of(problem), conv_variants(problem, chip)

    def build(row: tuple[int, ...], bound: int, relaxed: bool) -> ConvPlan:
        variant, split = variants[row[2]], ConvSplit(*row[3:10])
        unit_channels = machine.amp_weight_bytes // number_format(problem.inputs_format).bytes
        terms = estimate(machine, work, variant, split)
        return ConvPlan(problem, variant, split, terms, unit_channels, bound, relaxed)

    return best_plan("conv", machine, work, variants, options or PlanOptions(), problem.resident_bytes, build)
