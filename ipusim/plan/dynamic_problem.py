"""What the planner of a dynamic sparse product knows: sizes, the declared maximum of non-zeros, formats, the chip."""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction
from typing import NamedTuple

from ipusim.chip.model import Chip
from ipusim.codelets.dynamic_block import conv_units_of
from ipusim.cost.exchange import rate_sixteenths
from ipusim.cost.sparse_units import sparse_units

DATA_BYTES = {"float16": 2, "float32": 4}


@dataclass(frozen=True, slots=True)
class DynamicOptions:
    """Choices of the user, with the library's defaults.

    Attributes
    ----------
    available_memory_proportion : float
        Part of a tile's SRAM that a plan may use for temporary data.
    oversize : float
        Allowance of the buckets over an even spread of the non-zeros.
    partials : str
        Format of the partial sums; float16 only for blocks of float16.
    grad_a, grad_w : bool
        Plan the gradients of the dense input and of the weights jointly. The matmul wrapper of the library always
        plans for the first, also when only forward runs.
    shared_buckets : bool
        The gradient of the dense input reads the forward buckets (else it has metadata of its own).
    partition : tuple of int
        Fixed ``p_m, p_k, p_n``; 0 leaves a part free.
    exchange_buckets : bool or None
        Weight gradients cycle the buckets (True) or the dense operands (False); None lets the planner choose.
    """

    available_memory_proportion: float = 0.6
    oversize: float = 0.3
    partials: str = "float32"
    grad_a: bool = True
    grad_w: bool = False
    shared_buckets: bool = True
    partition: tuple[int, int, int] = (0, 0, 0)
    exchange_buckets: bool | None = None


class DynamicProblem(NamedTuple):
    """The numbers that the estimates read; a tuple, so that compiled formulas take it as it is.

    Attributes
    ----------
    m_groups, k_groups : int
        Rows and columns of the sparse operand in blocks.
    n : int
        Columns of the dense operand.
    block_size : int
        Edge of the blocks on the device.
    non_zero_groups : int
        Declared maximum of non-zero blocks.
    density : float
        Declared maximum of non-zero elements over all elements.
    data_bytes, partial_bytes : int
        Bytes of a value and of a partial sum.
    conv_units : int
        Conv units of the AMP for these formats.
    oversize : float
        Allowance of the buckets.
    grad_a, grad_w, shared_buckets : bool
        As in :class:`DynamicOptions`.
    n_tiles, workers : int
        Tiles of the chip, worker contexts of a tile.
    exchange_rate : int
        Sixteenths of a byte that a tile receives per cycle.
    atom_bytes : int
        Smallest exchanged unit.
    data_path_bytes : int
        Width of a load or store.
    bus_factor : int
        Times the rate at which the tiles of a bus receive the same data; 1 where they do not share the bus.
    bus_tiles : int
        Tiles of a bus.
    column_slots, list_fill_slots, block_fill_slots : float
        Of an AMP with block lists (:class:`~ipusim.cost.sparse_units.SparseUnits`); 0 without them.
    gather_elements : int
        Elements per cycle of a tile's gather units; 0 without them.
    """

    m_groups: int
    k_groups: int
    n: int
    block_size: int
    non_zero_groups: int
    density: float
    data_bytes: int
    partial_bytes: int
    conv_units: int
    oversize: float
    grad_a: bool
    grad_w: bool
    shared_buckets: bool
    n_tiles: int
    workers: int
    exchange_rate: int
    atom_bytes: int
    data_path_bytes: int
    bus_factor: int
    bus_tiles: int
    column_slots: float
    list_fill_slots: float
    block_fill_slots: float
    gather_elements: int


def dynamic_problem(
    m: int,
    k: int,
    n: int,
    block_size: int,
    density: float | Fraction,
    dtype: str,
    chip: Chip,
    options: DynamicOptions,
) -> DynamicProblem:
    """Return the planner's view of ``Y[m, n] = W[m, k] X[k, n]`` with a dynamic `W`.

    Parameters
    ----------
    m, k, n : int
        Sizes in elements.
    block_size : int
        Edge of the blocks on the device (see :func:`ipusim.sparse.blocks.device_block_size`).
    density : float or Fraction
        Declared maximum, in (0, 1].
    dtype : str
        ``float16`` or ``float32``.
    chip : Chip
        The chip.
    options : DynamicOptions
        The user's choices.

    Raises
    ------
    ValueError
        For float16 partials where no vertex has them (block size 1, or float32 data).
    """
    if options.partials == "float16" and (block_size == 1 or dtype == "float32"):
        raise ValueError("dynamic sparsity has float16 partials only for blocks of float16")
    m_groups, k_groups = m // block_size, k // block_size
    units = sparse_units(chip, block_size, dtype, options.partials)
    return DynamicProblem(
        m_groups=m_groups,
        k_groups=k_groups,
        n=n,
        block_size=block_size,
        non_zero_groups=math.ceil(m_groups * k_groups * density),
        density=float(density),
        data_bytes=DATA_BYTES[dtype],
        partial_bytes=DATA_BYTES[options.partials],
        conv_units=conv_units_of(chip, dtype, options.partials),
        oversize=options.oversize,
        grad_a=options.grad_a,
        grad_w=options.grad_w,
        shared_buckets=options.shared_buckets,
        n_tiles=chip.n_tiles,
        workers=chip.worker_contexts,
        exchange_rate=rate_sixteenths(chip.exchange_bytes_per_cycle),
        atom_bytes=max(1, round(chip.exchange_bytes_per_cycle)),
        data_path_bytes=chip.data_path_bytes,
        bus_factor=chip.exchange_bus_rate_factor if chip.exchange_bus_sharing else 1,
        bus_tiles=chip.tiles_per_exchange_bus,
        column_slots=units.column_slots,
        list_fill_slots=units.list_fill_slots,
        block_fill_slots=units.block_fill_slots,
        gather_elements=units.gather_elements,
    )
