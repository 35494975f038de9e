"""Equal parts of a program, kept once: repeated layers differ in the names of their variables, not in their arrays.

:class:`Sharing` replaces every array of supersteps and homes by the first one with the same content. From then on two
parts are alike if their arrays are the same objects, and :func:`vertices_key` and :func:`transfers_key` say so without
looking into them. Whoever counts cycles, bytes or joules looks at each kind of superstep once.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable
from dataclasses import replace
from math import gcd
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from ipusim.ir.program import Home, Operand, Program, Repeat, Superstep, Transfers, VertexSet
from ipusim.ir.regions import IntArray, Regions

AnyArray = NDArray[Any]
Key = tuple[Hashable, ...]
Made = TypeVar("Made")

_NAMES = frozenset({"source", "target", "variable"})
"""Settings of vertices that name something of the program."""
_SAMPLED = 64
"""Elements by which arrays are told apart before they are compared."""
_MOST_ALIKE = 8
"""Different arrays with the same sample that a new one is compared with: the latest."""


class Sharing:
    """The arrays and regions of a program that are known already."""

    def __init__(self) -> None:
        self._arrays: dict[Key, list[AnyArray]] = {}
        self._ids: set[int] = set()
        self._regions: dict[Key, Regions] = {}
        self._homes: dict[Key, Home] = {}
        self._made: dict[Key, Any] = {}
        self._recent: dict[int, tuple[Regions, Regions]] = {}

    def array(self, array: AnyArray) -> AnyArray:
        """Return the first array that was seen with the content of `array`."""
        if id(array) in self._ids:
            return array
        array = np.ascontiguousarray(array)
        alike = self._arrays.setdefault((array.dtype.str, array.shape, _sample(array)), [])
        for known in alike[-_MOST_ALIKE:]:
            if np.array_equal(known, array):
                return known
        alike.append(array)
        self._ids.add(id(array))
        return array

    def regions(self, regions: Regions) -> Regions:
        """Return the first regions that were seen with the content of `regions`."""
        recent = self._recent.get(id(regions))
        if recent is None:
            recent = self._recent[id(regions)] = (regions, self._regions_of(regions))
        return recent[1]

    def forget_recent(self) -> None:
        """Let go of the regions that came in lately and were replaced by equal ones."""
        self._recent.clear()

    def _regions_of(self, regions: Regions) -> Regions:
        box, begin, end = self.array(regions.box), self.array(regions.begin), self.array(regions.end)
        key = (id(box), id(begin), id(end), tuple(regions.step), regions.count, regions.ring)
        if key not in self._regions:
            self._regions[key] = Regions(box, begin, end, regions.step, regions.count, regions.ring)
        return self._regions[key]

    def home(self, home: Home) -> Home:
        """Return the first home that was seen with the content of `home`."""
        tile, regions = self.array(home.tile), self.regions(home.regions)
        return self._homes.setdefault((id(tile), id(regions)), Home(tile, regions))

    def once(self, key: Key, make: Callable[[], Made]) -> Made:
        """Return what `make` makes; of the same key, what it made the first time.

        A key may hold identities of shared arrays, since these are kept.
        """
        if key not in self._made:
            self._made[key] = make()
        found: Made = self._made[key]
        return found

    def step(self, step: Superstep | Repeat) -> Superstep | Repeat:
        """Return a superstep or loop of shared arrays."""
        if isinstance(step, Repeat):
            return Repeat(step.count, tuple(self._superstep(inner) for inner in step.body))
        return self._superstep(step)

    def _superstep(self, step: Superstep) -> Superstep:
        compute = tuple(self._vertices(vertices) for vertices in step.compute)
        return replace(step, compute=compute, exchange=tuple(self.transfers(each) for each in step.exchange))

    def _vertices(self, vertices: VertexSet) -> VertexSet:
        operands = tuple(
            Operand(each.variable, each.access, self.regions(each.regions), self._optional(each.segments))
            for each in vertices.operands
        )
        fields = {name: self.array(values) for name, values in vertices.fields.items()}
        return replace(vertices, tile=self.array(vertices.tile), fields=fields, operands=operands)

    def transfers(self, transfers: Transfers) -> Transfers:
        """Return transfers of shared arrays."""
        return replace(
            transfers,
            source=self.array(transfers.source),
            regions=self.regions(transfers.regions),
            group=self.array(transfers.group),
            group_indptr=self.array(transfers.group_indptr),
            group_tiles=self.array(transfers.group_tiles),
            bytes_sent=self._optional(transfers.bytes_sent),
            bytes_received=self._optional(transfers.bytes_received),
            bytes_shared=self._optional(transfers.bytes_shared),
            gaps=self._optional(transfers.gaps),
        )

    def _optional(self, array: IntArray | None) -> IntArray | None:
        return None if array is None else self.array(array)


def _sample(array: AnyArray) -> bytes:
    """Return some elements of an array, as bytes: from the start on, at a distance that meets every column of a row."""
    flat = array.reshape(-1)
    distance = 1 + len(flat) // _SAMPLED
    while gcd(distance, 6) > 1:
        distance += 1
    return bytes(flat[::distance].tobytes())


def vertices_key(vertices: VertexSet, program: Program) -> Key:
    """Return what vertex sets have in common that perform the same work on variables of other names.

    Two keys are the same if all that is in both sets is, but for the names of variables and the payload, which only
    kernels read. The program has to be kept as long as the key: it holds identities of arrays.
    """
    fields = ((name, id(values)) for name, values in vertices.fields.items())
    operands = (
        (operand.access, id(operand.regions), id(operand.segments), program.variables[operand.variable].element_bytes)
        for operand in vertices.operands
    )
    settings = sorted(setting for setting in vertices.settings.items() if setting[0] not in _NAMES)
    return (vertices.codelet, vertices.label, id(vertices.tile), *fields, *operands, *settings)


def transfers_key(transfers: Transfers, program: Program) -> Key:
    """Return what transfers have in common that move the same pieces of variables of other names.

    The program has to be kept as long as the key: it holds identities of arrays.
    """
    counts = (transfers.bytes_sent, transfers.bytes_received, transfers.bytes_shared, transfers.gaps)
    return (
        transfers.label,
        bool(transfers.into),
        id(transfers.source),
        id(transfers.regions),
        id(transfers.group),
        id(transfers.group_indptr),
        id(transfers.group_tiles),
        *(id(each) for each in counts),
        program.variables[transfers.variable].element_bytes,
    )


def alike_supersteps(program: Program) -> tuple[int, ...]:
    """Return a number for each superstep, in the order of :meth:`Program.supersteps`; those that are alike share it."""
    found: dict[Key, int] = {}
    return tuple(found.setdefault(superstep_key(step, program), len(found)) for step, _ in program.supersteps())


def superstep_key(step: Superstep, program: Program) -> Key:
    """Return what supersteps have in common that take the same time, but for what streams in from DRAM."""
    return (
        tuple(vertices_key(vertices, program) for vertices in step.compute),
        tuple(transfers_key(transfers, program) for transfers in step.exchange),
    )
