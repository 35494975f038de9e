"""What the storages of a program hold at its start, and tensors of which a packed variable has the elements."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np

from ipusim.ir.program import Program, Variable
from ipusim.kernels.buffers import F32Array, aligned


class Packing:
    """Where the elements of a packed variable belong in its tensor.

    Parameters
    ----------
    variable : Variable
    """

    def __init__(self, variable: Variable) -> None:
        index = variable.positions()
        held = index >= 0
        self._size, self._tensor = index.size, variable.tensor
        self._held = None if held.all() else np.flatnonzero(held)
        self._index = index if self._held is None else index[self._held]
        self._reach = int(self._index.max(initial=-1))

    def pack(self, array: F32Array, out: F32Array) -> None:
        """Write the elements of a tensor that the variable holds, in its order, zeros where it holds none.

        Parameters
        ----------
        array : float32 array [n_elements]
            The tensor.
        out : float32 array [size]
            Receives them.

        Raises
        ------
        ValueError
            The tensor is smaller than the variable's positions reach.
        """
        if self._reach >= len(array):
            raise ValueError(f"input {self._tensor} has {len(array)} values, the program reads number {self._reach}")
        if self._held is None:
            np.take(array, self._index, out=out, mode="clip")
            return
        out.fill(0.0)
        out[self._held] = array[self._index]

    def unpack(self, values: F32Array, n_elements: int) -> F32Array:
        """Return the tensor of which the variable holds `values`, zeros elsewhere: float32 array [n_elements]."""
        tensor = np.zeros(n_elements, dtype=np.float32)
        flat = values.reshape(-1)
        tensor[self._index] = flat if self._held is None else flat[self._held]
        return tensor


def unpacked(variable: Variable, values: F32Array, n_elements: int) -> F32Array:
    """Return the tensor of which a packed variable holds `values`, zeros elsewhere: float32 array [n_elements]."""
    return Packing(variable).unpack(values, n_elements)


class Initial:
    """The storages that have values at the start of a program.

    Parameters
    ----------
    program : Program
    """

    def __init__(self, program: Program) -> None:
        tensor_of = {name: tensor for tensor, name in program.inputs.items()}
        self._held = [
            (variable.tensor or tensor_of[variable.name], variable, Packing(variable) if variable.tensor else None)
            for variable in program.initial
        ]

    def room(self) -> dict[str, F32Array]:
        """Return an array for each of them, which may hold anything."""
        return {variable.storage: aligned(variable.n_elements) for _, variable, _ in self._held}

    def fill(self, room: Mapping[str, F32Array], inputs: Mapping[str, F32Array]) -> None:
        """Write the values of inputs to the arrays of storages; see :meth:`arrays`."""
        for variable, packing, array in self._given(inputs):
            if packing is None:
                np.copyto(room[variable.storage], array)
            else:
                packing.pack(array, room[variable.storage])

    def arrays(self, inputs: Mapping[str, F32Array], written: frozenset[str]) -> dict[str, F32Array]:
        """Return arrays with the values of inputs; those that nobody writes are the inputs themselves.

        Parameters
        ----------
        inputs : mapping of str to float32 array
            Values of every graph input, of any shape with the right number of elements.
        written : frozenset of str
            Storages that some vertex writes.

        Returns
        -------
        dict of str to float32 array [n_elements]
            By storage.

        Raises
        ------
        ValueError
            A graph input is missing or has another number of elements.
        """
        found = {}
        for variable, packing, array in self._given(inputs):
            if packing is not None:
                found[variable.storage] = np.empty(variable.n_elements, dtype=np.float32)
                packing.pack(array, found[variable.storage])
            else:
                found[variable.storage] = array.copy() if variable.storage in written else array
        return found

    def _given(self, inputs: Mapping[str, F32Array]) -> Iterator[tuple[Variable, Packing | None, F32Array]]:
        for tensor, variable, packing in self._held:
            if tensor not in inputs:
                raise ValueError(f"no values for the input {tensor}")
            array = np.ascontiguousarray(inputs[tensor], dtype=np.float32).reshape(-1)
            if packing is None and len(array) != variable.n_elements:
                raise ValueError(f"input {tensor} has {len(array)} values, the program needs {variable.n_elements}")
            yield variable, packing, array
