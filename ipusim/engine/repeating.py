"""Execution of a program that runs again and again: what its first run found out is not found out anew."""

from __future__ import annotations

from collections.abc import Mapping
from math import prod

from ipusim.engine.execution import run_supersteps, schedule_program
from ipusim.engine.initial import Initial, Packing
from ipusim.engine.values import F32Array, Values
from ipusim.ir.program import Program
from ipusim.kernels.workers import Launch, Workers


class Repeated:
    """A program that runs again and again, on other values each time.

    The first run notes what it makes the workers do, with the arrays that they work on; every further one does the same
    again with the same arrays. Arrays that are let go in the course of a run serve others in it.

    Parameters
    ----------
    program : Program
    shapes : mapping of str to tuple of int
        Shape of each graph output.
    """

    def __init__(self, program: Program, shapes: Mapping[str, tuple[int, ...]]) -> None:
        self._initial = Initial(program)
        self._room = self._initial.room()
        self._launches: list[Launch] = []
        self._results: list[tuple[str, tuple[int, ...], F32Array, Packing | None]] = []
        self._program, self._shapes = program, shapes

    def run(self, values: Mapping[str, F32Array], threads: int) -> dict[str, F32Array]:
        """Execute the program.

        Parameters
        ----------
        values : mapping of str to float32 array
            As for :func:`execute_program`.
        threads : int
            Results do not depend on it.

        Returns
        -------
        dict of str to float32 array
            The graph outputs in their shapes.

        Raises
        ------
        ValueError, VerifierError
            As :func:`execute_program`.
        """
        self._initial.fill(self._room, values)
        if not self._results:
            self._first(threads)
        else:
            with Workers(threads, reports=False) as workers:
                for launch in self._launches:
                    launch(workers)
        return {
            tensor: (array.copy() if packing is None else packing.unpack(array, prod(shape))).reshape(shape)
            for tensor, shape, array, packing in self._results
        }

    def _first(self, threads: int) -> None:
        """Run the program for the first time, from values that are in their room already."""
        program, self._launches = self._program, []
        with Workers(threads, reports=False, launches=self._launches) as workers:
            held = Values(program, self._room, zeroing=workers)
            run_supersteps(program, schedule_program(program), held, workers)
        for tensor, name in program.outputs.items():
            variable = program.variables[name]
            packing = Packing(variable) if variable.tensor else None
            self._results.append((tensor, self._shapes[tensor], held.flat(variable.storage), packing))
