"""The values of a running program: one flat array for each storage, seen through its variables."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from ipusim.engine.rounding import NEAREST, Rounding
from ipusim.ir.movement import MOVEMENTS
from ipusim.ir.program import Program, Superstep, Variable, VertexSet
from ipusim.kernels.packing import Packings

F32Array = NDArray[np.float32]


class Values:
    """Arrays by storage; a storage is made, full of zeros, when something first touches it.

    Parameters
    ----------
    program : Program
    inputs : mapping of str to float32 array
        Values of every graph input, of any shape with the right number of elements.
    written : frozenset of str
        Storages that some vertex writes (:func:`written_storages`).
    rounding : Rounding
        How results are rounded to narrow formats.

    Raises
    ------
    ValueError
        A graph input is missing or has another number of elements.

    Attributes
    ----------
    packings : Packings
        Packed copies of operands of matrix products.
    """

    def __init__(
        self, program: Program, inputs: Mapping[str, F32Array], written: frozenset[str], rounding: Rounding = NEAREST
    ) -> None:
        self.rounding = rounding
        self._sizes = {variable.storage: _n_elements(variable) for variable in program.variables.values()}
        self._arrays: dict[str, F32Array] = {}
        self.packings = Packings()
        tensor_of = {name: tensor for tensor, name in program.inputs.items()}
        for variable in program.initial:
            tensor = variable.tensor or tensor_of[variable.name]
            if tensor not in inputs:
                raise ValueError(f"no values for the input {tensor}")
            array = np.ascontiguousarray(inputs[tensor], dtype=np.float32).reshape(-1)
            if variable.tensor:
                self._arrays[variable.storage] = packed(variable, array)
                continue
            if len(array) != _n_elements(variable):
                raise ValueError(f"input {tensor} has {len(array)} values, the program needs {_n_elements(variable)}")
            self._arrays[variable.storage] = array.copy() if variable.storage in written else array

    def flat(self, storage: str) -> F32Array:
        """Return the values of a storage: float32 array [n_elements]."""
        if storage not in self._arrays:
            self._arrays[storage] = np.zeros(self._sizes[storage], dtype=np.float32)
        return self._arrays[storage]

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


def packed(variable: Variable, array: F32Array) -> F32Array:
    """Return the elements of a tensor (float32 array [n_elements]) that a packed variable holds, in its order.

    Raises
    ------
    ValueError
        The tensor is smaller than the variable's positions reach.
    """
    index = variable.positions()
    if index.size and int(index.max()) >= len(array):
        raise ValueError(f"input {variable.tensor} has {len(array)} values, the program reads number {index.max()}")
    if index.size and int(index.min()) >= 0:
        return array.take(index)
    if not len(array):
        return np.zeros(index.size, np.float32)
    values: F32Array = array[index]
    values[index < 0] = 0
    return values


def unpacked(variable: Variable, values: F32Array, n_elements: int) -> F32Array:
    """Return the tensor of which a packed variable holds `values`, zeros elsewhere: float32 array [n_elements]."""
    index = variable.positions()
    held = index >= 0
    tensor = np.zeros(n_elements, dtype=np.float32)
    tensor[index[held]] = values.reshape(-1)[held]
    return tensor


def _n_elements(variable: Variable) -> int:
    groups, rows, cols = variable.shape
    return groups * rows * cols


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
