"""Plans of dense matmuls: from a chip and a problem to the best cut, with the reasons."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ipusim.chip.model import Chip
from ipusim.cost.exchange import rate_sixteenths
from ipusim.formats import number_format
from ipusim.plan.best_plan import best_plan, estimate_entries
from ipusim.plan.dense_estimate import (
    AMP_1X1,
    AMP_NX1,
    HMAC,
    OUTER_PRODUCT,
    VERTICES,
    Estimate,
    Machine,
    Product,
    Split,
    Variant,
    estimate,
    total_cycles,
)
from ipusim.plan.problem import MatMulProblem, PlanOptions


@dataclass(frozen=True, slots=True)
class DensePlan:
    """How one dense matmul is cut over the tiles, and what the planner expects of it.

    Attributes
    ----------
    problem : MatMulProblem
    variant : Variant
        The vertex: AMP units, channels of a group, whether the operands are swapped.
    split : Split
    estimate : Estimate
        Cycles by term and temporary bytes on the fullest tile.
    unit_channels : int
        Input channels that an AMP unit takes at once with a kernel of one.
    memory_bound_bytes : int
        The bound of the temporary bytes that the plan was found under.
    relaxed : bool
        True if no plan met ``available_memory_proportion`` and the bound had to be raised.
    runners_up : tuple of DensePlan
        The next best plans, best first, without runners-up of their own.
    """

    problem: MatMulProblem
    variant: Variant
    split: Split
    estimate: Estimate
    unit_channels: int
    memory_bound_bytes: int
    relaxed: bool
    runners_up: tuple[DensePlan, ...] = ()

    @property
    def cycles(self) -> int:
        """Estimated cycles, the sum of the terms."""
        return total_cycles(self.estimate)

    @property
    def product(self) -> Product:
        """The problem after the choice of operands."""
        return oriented(product_of(self.problem), self.variant)

    @property
    def tiles_used(self) -> int:
        """Number of tiles with work."""
        return self.split.p_groups * self.split.p_rows * self.split.p_inner * self.split.p_outer

    @property
    def partition(self) -> dict[str, int]:
        """Parallel parts in the names of the problem: ``p_m, p_k, p_n`` and ``p_groups``."""
        rows, outer = ("p_n", "p_m") if self.variant.swapped else ("p_m", "p_n")
        return {
            "p_groups": self.split.p_groups,
            rows: self.split.p_rows,
            "p_k": self.split.p_inner,
            outer: self.split.p_outer,
        }

    def to_dict(self) -> dict[str, Any]:
        """Return the plan as JSON-ready values: partition, serial slices, vertex, estimate by term, runners-up."""
        serial_outer = "s_m" if self.variant.swapped else "s_n"
        return {
            "strategy": "dense",
            "partition": self.partition,
            "serial": {"s_k": self.split.s_inner, serial_outer: self.split.s_outer},
            "vertex": VERTICES[self.variant.vertex],
            "units": self.variant.units,
            "grain": {"inner": self.variant.inner_channels, "outer": self.variant.outer_channels},
            "swapped": bool(self.variant.swapped),
            "broadcast_before_loop": bool(self.split.broadcast),
            **estimate_entries(self),
        }


def machine_of(chip: Chip) -> Machine:
    """Return what the planner has to know of `chip`."""
    return Machine(
        chip.n_tiles,
        chip.tile_sram_bytes,
        chip.sram_element_bytes,
        chip.worker_contexts,
        rate_sixteenths(chip.exchange_bytes_per_cycle),
        chip.tiles_per_exchange_bus,
        chip.exchange_bus_rate_factor if chip.exchange_bus_sharing else 1,
        int(chip.amp_load_bytes_per_cycle),
        chip.amp_weight_bytes_per_unit,
        int(chip.copy_bytes_per_cycle),
        chip.data_path_bytes,
    )


def product_of(problem: MatMulProblem) -> Product:
    """Return the problem with its rows streaming through the AMP (operands not swapped)."""
    return Product(
        problem.groups,
        problem.m,
        problem.k,
        problem.n,
        number_format(problem.inputs_format).bytes,
        number_format(problem.partials_format).bytes,
        number_format(problem.output_format).bytes,
    )


def oriented(product: Product, variant: Variant) -> Product:
    """Return `product` as `variant` sees it: a swapped one streams the columns of the result."""
    return product._replace(rows=product.outer, outer=product.rows) if variant.swapped else product


def variants_of(problem: MatMulProblem, chip: Chip) -> tuple[Variant, ...]:
    """Return the vertices that can do `problem` on `chip`, swapped operands first because they win ties.

    The AMP with all the input channels of its units (1x1) or half or a quarter of them (nx1, several kernel rows at
    once), a dot product over the input channels (HMAC), and an outer product where there is one input channel. An AMP
    output group has as many channels as there are units (dense reference, section 2.3: the rule of the fully connected
    passes). Operands of 8 bits have the AMP alone.
    """
    modes = sorted(chip.amp_modes_for(problem.inputs_format, problem.partials_format), key=lambda mode: -mode.units)
    vector = chip.data_path_bytes // number_format(problem.inputs_format).bytes
    found = [(AMP_1X1, mode.units, mode.in_channels, mode.units) for mode in modes]
    if modes and problem.k < modes[0].in_channels:
        found += [
            (AMP_NX1, mode.units, mode.in_channels // height, mode.units)
            for mode in modes
            for height in (2, 4)
            if mode.in_channels // height >= max(vector, 1) and mode.in_channels // height >= problem.k
        ]
    if number_format(problem.inputs_format).bytes == 1:
        return tuple(Variant(*variant, swapped) for swapped in (1, 0) for variant in found)
    if modes and min(problem.m, problem.n) < modes[0].units:
        outer = 2 if problem.partials_format == "float16" else 1
        found += [(HMAC, 0, channels, outer) for channels in (4, 16, 64, 256) if channels < 4 * problem.k]
    if modes and problem.k == 1:
        found.append((OUTER_PRODUCT, 0, 1, vector))
    return tuple(Variant(*variant, swapped) for swapped in (1, 0) for variant in found)


def plan_matmul(problem: MatMulProblem, chip: Chip, options: PlanOptions | None = None) -> DensePlan | None:
    """Return the plan with the least estimated cycles under the memory bound.

    The bound is that of :func:`ipusim.plan.best_plan.best_plan`, and is raised as there.

    Parameters
    ----------
    problem : MatMulProblem
    chip : Chip
    options : PlanOptions, optional

    Returns
    -------
    DensePlan or None
        None if the chip has no AMP mode for the formats, or if nothing fits and raising the bound is pointless.
    """
    options = options or PlanOptions()
    machine, product, variants = machine_of(chip), product_of(problem), variants_of(problem, chip)

    def build(row: tuple[int, ...], bound: int, relaxed: bool) -> DensePlan:
        variant, split = variants[row[2]], Split(*row[3:10])
        unit_channels = machine.amp_weight_bytes // number_format(problem.inputs_format).bytes
        terms = estimate(machine, oriented(product, variant), variant, split)
        return DensePlan(problem, variant, split, terms, unit_channels, bound, relaxed)

    resident = resident_bytes(product) if options.resident else 0
    return best_plan("dense", machine, product, variants, options, resident, build)


def resident_bytes(product: Product) -> int:
    """Return the bytes of both operands and the result."""
    operands = product.rows * product.inner + product.inner * product.outer
    return product.groups * (operands * product.input_bytes + product.rows * product.outer * product.output_bytes)
