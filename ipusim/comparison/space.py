"""The points of a sweep, in the order in which they are shown."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import product

from ipusim.comparison.base import Base, condition_workload
from ipusim.comparison.options import BLOCK_SIZES, DENSITIES, Options
from ipusim.comparison.points import DENSE, Condition, Point
from ipusim.errors import BadInputError, Problem
from ipusim.files.wording import join_words
from ipusim.frontends.model import Workload


@dataclass(frozen=True)
class Space:
    """What is compared.

    Attributes
    ----------
    workloads : Mapping of Condition to Workload
        The dense workload in every condition.
    points : tuple of Point
        All the dense baselines, then the sparse points, condition by condition, by mode, block size and density.
    own_density : bool
        Whether the patterns of the weights bring their density.
    notes : tuple of str
        What the user may not expect.
    """

    workloads: Mapping[Condition, Workload]
    points: tuple[Point, ...]
    own_density: bool
    notes: tuple[str, ...]


def build_space(base: Base, options: Options) -> Space:
    """Return all that a sweep compares, checked.

    Raises
    ------
    BadInputError
        With every extent and format that the workload cannot have, every block size that does not divide a weight, and
        densities for weights that have their own.
    """
    problems: dict[Problem, None] = {}
    workloads: dict[Condition, Workload] = {}
    for each in product(options.features or (None,), options.batches or (None,), options.dtypes or ("",)):
        asked = Condition(*each)
        shown = Condition(asked.features, asked.batch or base.batch, asked.dtype or base.dtype)
        try:
            workloads[shown] = condition_workload(base, asked)
        except BadInputError as error:
            problems |= dict.fromkeys(error.problems)
    own_density = base.has_own_density
    if own_density and options.densities:
        message = f"the pattern of {join_words(base.weights, 'and')} brings its density with it"
        problems[Problem("--density", 0, 0, "", message, "leave the option out")] = None
    block_sizes, notes = _block_sizes(base, options, workloads, problems)
    if problems:
        raise BadInputError(problems)
    densities = (base.own_density(),) if own_density else options.densities or DENSITIES
    sparse = product(workloads, options.modes, block_sizes, sorted(densities, reverse=True))
    dense = [Point(condition, DENSE) for condition in workloads]
    return Space(workloads, (*dense, *(Point(*each) for each in sparse)), own_density, notes)


def _block_sizes(
    base: Base, options: Options, workloads: Mapping[Condition, Workload], problems: dict[Problem, None]
) -> tuple[list[int], tuple[str, ...]]:
    """Return the block sizes that divide all weights; one that the user asked for and does not is a problem."""
    fitting, notes = [], []
    for block_size in options.block_sizes or BLOCK_SIZES:
        uneven = {
            f"{name} {list(workload.tensors[name].shape)}": None
            for workload in workloads.values()
            for name in base.weights
            if any(extent % block_size for extent in workload.tensors[name].shape)
        }
        if not uneven:
            fitting.append(block_size)
            continue
        message = f"{block_size} does not divide {join_words(uneven, 'and')}"
        if options.block_sizes:
            problems[Problem("--block-size", 0, 0, "", message, "--weights selects which tensors are swept")] = None
        notes.append(f"Block size {message}, and is left out.")
    return fitting, tuple(notes)
