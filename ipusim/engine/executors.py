"""How the vertices of each codelet are executed: from bound operands to a kernel.

The operands of every codelet are described in the README of this room. To execute a further codelet, add an entry to
:data:`EXECUTORS`. Whatever reads or writes values goes through the workers (:meth:`~ipusim.kernels.workers.Workers.run`
and ``do``), since a program that runs again only does that again.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib import import_module

import numpy as np

from ipusim.engine.rounding import NEAREST, Rounding, grid_of
from ipusim.engine.values import F32Array, Values
from ipusim.errors import VerifierError
from ipusim.formats import scale_of
from ipusim.formats.scale import AUTO
from ipusim.ir.expression import ELEMENT_BY_ELEMENT, Expression
from ipusim.ir.movement import MOVEMENTS, Movement, Repacking, Source
from ipusim.ir.program import VertexSet
from ipusim.ir.regions import IntArray, Regions, whole_boxes
from ipusim.kernels.elementwise import ADD, COPY, combine_regions
from ipusim.kernels.matmul import multiply_boxes
from ipusim.kernels.pointwise import map_regions
from ipusim.kernels.reduce import reduce_boxes
from ipusim.kernels.rounding import round_regions
from ipusim.kernels.workers import Done, Workers
from ipusim.ops.registry import find_op


@dataclass(frozen=True, slots=True)
class Bound:
    """An operand of a vertex set in one iteration, with its values.

    Attributes
    ----------
    values : float32 array [groups, rows, cols]
    regions : Regions
    segments : int64 array [n + 1] or None
    dtype : str
        Number format of the variable.
    iteration : int
        Of the loop that the vertex set stands in.
    rounding : Rounding
    place : tuple of str
        Names that tell the vertex set and the operand from all others: they choose the random bits of the rounding.
    """

    values: F32Array
    regions: Regions
    segments: IntArray | None
    dtype: str
    iteration: int = 0
    rounding: Rounding = NEAREST
    place: tuple[str, ...] = ()

    @property
    def half(self) -> bool:
        """Whether the kernel that stores results has to round them to the nearest float16; see :meth:`settle`."""
        return self.dtype == "float16" and not self.rounding.stochastic

    @property
    def half_sums(self) -> bool:
        """Whether a kernel has to round sums to float16 in the course of a product.

        Raises
        ------
        VerifierError
            The format is one that no product forms sums in.
        """
        if self.dtype not in ("float16", "float32"):
            raise VerifierError(f"no vertex forms sums in {self.dtype}")
        return self.dtype == "float16"

    def key(self, *more: object) -> int:
        """Return 64 bits that choose the random bits of what is stored here, with `more` to tell parts apart."""
        return self.rounding.key(*self.place, self.iteration, *more)

    def sums_key(self, *more: object) -> int | None:
        """Return the :meth:`key` of sums that are rounded stochastically, or None for rounding to nearest."""
        return self.key(*more) if self.rounding.stochastic else None

    def settle(self, workers: Workers, scale: float = 1.0, everything: bool = False, more: object = "") -> None:
        """Round what a kernel has stored in float32, where it could not do so itself.

        Parameters
        ----------
        workers : Workers
        scale : float
            Power of two that the stored numbers are multiples of.
        everything : bool
            All elements of the variable rather than the operand's regions; those rounded before stay as they are.
        more : object
            Tells several roundings of one operand apart.
        """
        if self.dtype in ("float32", "int32") or self.half:
            return
        groups, rows, cols = self.values.shape
        whole = whole_boxes(np.array([[0, groups, 0, rows, 0, cols]], dtype=np.int64))
        regions = whole if everything else self.regions
        grid = grid_of(self.dtype, scale)
        round_regions(self.values, regions, grid, self.rounding.stochastic, self.key(more), workers)


Executor = Callable[[VertexSet, tuple[Bound, ...], Values, Workers, Done], None]


def _product(vertices: VertexSet, operands: tuple[Bound, ...], values: Values, workers: Workers, done: Done) -> None:
    if vertices.payload is not None:
        convolve: Executor = import_module("ipusim.engine.execute_conv").convolve
        convolve(vertices, operands, values, workers, done)
        return
    left, right, out = operands
    settings = vertices.settings
    if settings["partials"] != out.dtype:
        raise VerifierError(f"{vertices.codelet} forms {settings['partials']} sums but writes {out.dtype}")
    multiply_boxes(
        left.values,
        right.values,
        out.values,
        left.regions.box,
        right.regions.box,
        out.regions.box,
        workers,
        transpose_left=bool(settings.get("transpose_left", False)),
        transpose_right=bool(settings.get("transpose_right", False)),
        accumulate=bool(settings.get("accumulate", False)),
        round_every=int(str(settings["in_channels"])) if out.half_sums else 0,
        key=out.sums_key(),
        done=done,
        packings=values.packings,
    )


def _combine(operands: tuple[Bound, ...], how: int, workers: Workers, done: Done) -> None:
    source, out = operands
    combine_regions(
        out.values, out.regions, source.values, source.regions, workers, how, source.segments, out.half, done
    )
    out.settle(workers)


def _copy(_vertices: VertexSet, operands: tuple[Bound, ...], _values: Values, workers: Workers, done: Done) -> None:
    _combine(operands, COPY, workers, done)


def _map(vertices: VertexSet, operands: tuple[Bound, ...], _values: Values, workers: Workers, done: Done) -> None:
    """Compute an expression, one function after the other; sums in place have none."""
    if vertices.settings.get("in_place"):
        _require_op(vertices, "add")
        _combine(operands, ADD, workers, done)
        return
    expression = vertices.payload
    assert isinstance(expression, Expression)
    flat = [operand.values.reshape(-1) for operand in operands]
    for node in expression.nodes:
        out = operands[node.output]
        map_regions(
            node.function,
            out.values,
            out.regions,
            tuple(flat[index] for index in node.inputs),
            tuple(expression.patterns[index] for index in node.inputs),
            workers,
            node.constants,
            out.half,
        )
        out.settle(workers)
    done(1.0)


def _reduce(vertices: VertexSet, operands: tuple[Bound, ...], _values: Values, workers: Workers, done: Done) -> None:
    source, out = operands
    finish: tuple[tuple[str, tuple[float, ...]], ...] = vertices.settings.get("finish", ())  # type: ignore[assignment]
    reduce_boxes(
        str(vertices.settings["op"]),
        out.values,
        out.regions.box,
        source.values,
        source.regions.box,
        workers,
        float(str(vertices.settings["scale"])),
        out.half and not finish,
        done,
    )
    flat = (out.values.reshape(-1),)
    for number, (name, constants) in enumerate(finish, start=1):
        half = out.half and number == len(finish)
        map_regions(name, out.values, out.regions, flat, (ELEMENT_BY_ELEMENT,), workers, constants, half)
    out.settle(workers)


def _cast(vertices: VertexSet, operands: tuple[Bound, ...], _values: Values, workers: Workers, done: Done) -> None:
    """Change the format, and the scale, of numbers."""
    source, out = operands
    scale = vertices.settings.get("scale", 1.0)
    if scale == 1.0:
        _combine(operands, COPY, workers, done)
        return
    combine_regions(
        out.values, out.regions, source.values, source.regions, workers, COPY, source.segments, out.half, done
    )
    if scale == AUTO:
        workers.do(lambda now: out.settle(now, scale_of(source.values, out.dtype)))
    else:
        out.settle(workers, float(str(scale)))


def _rearrange(vertices: VertexSet, _operands: tuple[Bound, ...], values: Values, workers: Workers, done: Done) -> None:
    """Make the elements of a movement; a change of place alone changes no value."""
    work = vertices.payload
    if isinstance(work, MOVEMENTS):
        target = values.flat(str(vertices.settings["target"]))
        sources = {source.storage: values.flat(source.storage) for source in work.sources()}
        values.packings.forget(target)
        workers.do(lambda _workers: _move(work, sources, target))
    done(1.0)


def _move(work: Movement | Repacking, sources: Mapping[str, F32Array], target: F32Array) -> None:
    """Write the elements of a movement to a storage; `sources` has the storages that they come from."""
    if isinstance(work, Movement):
        target[:] = moved(work, sources).reshape(-1)
    else:
        np.take(sources[work.source.storage], work.order, out=target, mode="clip")
        target[work.order < 0] = 0.0


def moved(movement: Movement, sources: Mapping[str, F32Array]) -> F32Array:
    """Return the elements of a movement in the shape of its result."""
    arrays = []
    for operand, shape in movement.operands:
        assert not isinstance(operand, str)
        array = sources[operand.storage] if isinstance(operand, Source) else moved(operand, sources)
        arrays.append(array.reshape(shape))
    result: F32Array = find_op(movement.kind).move(tuple(arrays), movement.attrs)
    return result


def _nothing(
    _vertices: VertexSet, _operands: tuple[Bound, ...], _values: Values, _workers: Workers, done: Done
) -> None:
    """Do nothing: the vertices move elements of a storage on their tile, which changes no value."""
    done(1.0)


def _require_op(vertices: VertexSet, op: str) -> None:
    if vertices.settings["op"] != op:
        raise VerifierError(f"no kernel for {vertices.codelet} with operator {vertices.settings['op']}")


EXECUTORS: dict[str, Executor] = {
    "amp_1x1": _product,
    "amp_nx1": _product,
    "hmac": _product,
    "outer_product": _product,
    "vmac": _product,
    "reduce_add": _copy,
    "reduce_rows": _reduce,
    "cast_1d": _cast,
    "unary_1d": _map,
    "nonlinearity_1d": _map,
    "nonlinearity_grad_1d": _map,
    "gelu_1d": _map,
    "binary_1d": _map,
    "broadcast_vector_outer": _map,
    "broadcast_scalar_1d": _map,
    "fused_map": _map,
    "rearrange": _rearrange,
    "dynamic_slice_1d": _nothing,
    "copy_rows": _nothing,
}
"""Executor by codelet."""

ELSEWHERE: dict[str, tuple[str, str]] = {
    "pool": ("pooling", "pool"),
    "stencil": ("stencil", "apply"),
    "multi_slice": ("gathering", "multi_slice"),
    "multi_update_add": ("scattering", "multi_update_add"),
    "fill_1d": ("scattering", "fill"),
    "heap_top_k": ("ranking", "heap_top_k"),
    "dynamic_element_wise": ("execute_dynamic", "multiply"),
    "dynamic_element_wise_transpose": ("execute_dynamic", "multiply"),
    "dynamic_block": ("execute_dynamic", "multiply"),
    "dynamic_element_wise_grad_w": ("execute_dynamic", "gradient"),
    "dynamic_block_grad_w": ("execute_dynamic", "gradient"),
    "sparse_block_transpose_grad_w": ("execute_dynamic", "copy_operand"),
    "sparse_zero": ("execute_dynamic", "zero"),
    "sparse_bucket_transpose": ("execute_dynamic", "transpose"),
    "dynamic_control": ("execute_dynamic", "control"),
    "static_element_wise_grad_w": ("execute_static", "gradient"),
    "static_block_grad_w": ("execute_static", "gradient"),
    "static_element_wise": ("execute_static", "multiply"),
    "static_block": ("execute_static", "multiply"),
    "grouped_reduce": ("execute_static", "reduce"),
    "static_result": ("execute_static", "store"),
}
"""Module of this room and name of the executor, by codelet, of those that are loaded when a program has them."""


def executor(codelet: str) -> Executor:
    """Return how the vertices of `codelet` are executed.

    Raises
    ------
    VerifierError
        Nothing executes them.
    """
    if codelet in ELSEWHERE:
        module, name = ELSEWHERE[codelet]
        found: Executor = getattr(import_module(f"ipusim.engine.{module}"), name)
        return found
    if codelet not in EXECUTORS:
        raise VerifierError(f"no kernel for vertices of {codelet}")
    return EXECUTORS[codelet]
