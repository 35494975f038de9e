"""The values of a running program: one flat array for each storage, seen through its variables."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from ipusim.engine.rounding import NEAREST, Rounding
from ipusim.ir.movement import MOVEMENTS
from ipusim.ir.program import Program, Superstep, Variable, VertexSet
from ipusim.kernels.buffers import Buffers
from ipusim.kernels.packing import Packings
from ipusim.kernels.workers import Workers

F32Array = NDArray[np.float32]


class Values:
    """Arrays by storage; a storage is made, full of zeros, when something first touches it.

    Parameters
    ----------
    program : Program
    arrays : mapping of str to float32 array [n_elements]
        Of the storages that have values at the start (:class:`~ipusim.engine.initial.Initial`).
    rounding : Rounding
        How results are rounded to narrow formats.
    zeroing : Workers, optional
        Who fills storages with zeros, where that has to be among their launches; room is reused then.

    Attributes
    ----------
    buffers : Buffers
        Room for what executors need for a while.
    packings : Packings
        Packed copies of operands of matrix products.
    """

    def __init__(
        self,
        program: Program,
        arrays: Mapping[str, F32Array],
        rounding: Rounding = NEAREST,
        zeroing: Workers | None = None,
    ) -> None:
        self.rounding = rounding
        self._sizes = {variable.storage: variable.n_elements for variable in program.variables.values()}
        self._arrays: dict[str, F32Array] = dict(arrays)
        self._zeroing = zeroing
        self.buffers = Buffers(reused=zeroing is not None)
        self.packings = Packings(self.buffers)

    def flat(self, storage: str) -> F32Array:
        """Return the values of a storage: float32 array [n_elements]."""
        if storage not in self._arrays:
            self._arrays[storage] = self._zeros(self._sizes[storage])
        return self._arrays[storage]

    def _zeros(self, n_elements: int) -> F32Array:
        if self._zeroing is None:
            return np.zeros(n_elements, dtype=np.float32)
        array = self.buffers.take(n_elements)
        self._zeroing.do(lambda _workers: array.fill(0.0))
        return array

    def view(self, variable: Variable) -> F32Array:
        """Return the values of a variable: float32 array [groups, rows, cols] that shares memory with its storage."""
        return self.flat(variable.storage).reshape(variable.shape)

    def released(self, storage: str) -> bool:
        """Return whether nothing has made a storage yet, or its values are forgotten."""
        return storage not in self._arrays

    def release(self, storage: str) -> None:
        """Forget the values of a storage that nothing needs any more."""
        array = self._arrays.pop(storage, None)
        if array is not None:
            self.packings.forget(array)
            self.buffers.give(array)


def touched_storages(program: Program, vertices: VertexSet) -> set[str]:
    """Return the storages that a vertex set reads or writes."""
    named: set[str] = set()
    if isinstance(vertices.payload, MOVEMENTS):
        named = {str(vertices.settings["target"]), *(source.storage for source in vertices.payload.sources())}
    return named | {program.variables[operand.variable].storage for operand in vertices.operands}


def written_storages(program: Program) -> frozenset[str]:
    """Return the storages that some vertex of `program` writes."""
    return frozenset(
        program.variables[operand.variable].storage
        for superstep, _ in program.supersteps()
        for vertices in superstep.compute
        for operand in vertices.operands
        if operand.access != "in"
    )


def last_uses(program: Program) -> tuple[dict[str, int], dict[str, int]]:
    """Return the index of the last step of every op, and that of the last op that touches each storage.

    What only streams in operands counts for neither.
    """
    ops: dict[str, int] = {}
    touched: dict[str, set[str]] = {}
    for index, step in enumerate(program.steps):
        for superstep in (step,) if isinstance(step, Superstep) else step.body:
            if superstep.streams:
                continue
            ops |= dict.fromkeys(superstep.ops, index)
            for vertices in superstep.compute:
                for storage in touched_storages(program, vertices):
                    touched.setdefault(storage, set()).add(vertices.op or superstep.op)
    return ops, {storage: max(ops[op] for op in users) for storage, users in touched.items()}


def stationary_variables(program: Program) -> frozenset[str]:
    """Return the variables that may stay where the first iteration of their loop has them.

    Partial sums that a loop makes and uses up in each iteration are described at another place of their variable in
    every iteration. On the chip they are in the same memory again, and so they are here: all that touch such a variable
    take the same step, so that leaving it out everywhere changes nothing but the memory that is used.
    """
    motions: dict[str, set[tuple[int, tuple[int, int, int], int]]] = {}
    for index, step in enumerate(program.steps):
        looped = not isinstance(step, Superstep)
        for superstep in step.body if not isinstance(step, Superstep) else (step,):
            for vertices in superstep.compute:
                for operand in vertices.operands:
                    count = operand.regions.count if looped else 0
                    motions.setdefault(operand.variable, set()).add((index, operand.regions.step, count))
    return frozenset(
        name
        for name, found in motions.items()
        if program.variables[name].kind == "partials"
        and len(found) == 1
        and next(iter(found))[2] > 1
        and sum(program.variables[name].storage == other.storage for other in program.variables.values()) == 1
    )
