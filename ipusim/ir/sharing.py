"""Equal parts of a program, kept once: repeated layers differ in the names of their variables, not in their arrays.

:class:`Sharing` replaces every array of supersteps and homes by the first one with the same content. From then on two
parts are alike if their arrays are the same objects, and :func:`vertices_key` and :func:`transfers_key` say so without
looking into them. Whoever counts cycles, bytes or joules looks at each kind of superstep once.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable
from dataclasses import replace
from functools import lru_cache
from math import gcd
from operator import is_
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
_TRANSFERS = (
    "source",
    "group",
    "group_indptr",
    "group_tiles",
    "bytes_sent",
    "bytes_received",
    "bytes_shared",
    "gaps",
)
"""Arrays of transfers."""
_SAMPLED = 64
"""Elements by which arrays are told apart before they are compared."""
_MOST_ALIKE = 8
"""Different arrays with the same sample that a new one is compared with: the latest."""


class Sharing:
    """The arrays and regions of a program that are known already."""

    def __init__(self) -> None:
        self._arrays: dict[Key, list[AnyArray]] = {}
        self._ids: set[int] = set()
        """Identities of the arrays, regions and homes that are kept."""
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
            if (known == array).all():
                return known
        alike.append(array)
        self._ids.add(id(array))
        return array

    def regions(self, regions: Regions) -> Regions:
        """Return the first regions that were seen with the content of `regions`."""
        if id(regions) in self._ids:
            return regions
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
        known = self._regions.get(key)
        if known is None:
            known = self._regions[key] = Regions(box, begin, end, regions.step, regions.count, regions.ring)
            self._ids.add(id(known))
        return known

    def home(self, home: Home) -> Home:
        """Return the first home that was seen with the content of `home`."""
        if id(home) in self._ids:
            return home
        tile, regions = self.array(home.tile), self.regions(home.regions)
        known = self._homes.setdefault((id(tile), id(regions)), Home(tile, regions))
        self._ids.add(id(known))
        return known

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
        compute = tuple(self.vertices(vertices) for vertices in step.compute)
        exchange = tuple(self.transfers(each) for each in step.exchange)
        if _same(compute, step.compute) and _same(exchange, step.exchange):
            return step
        return replace(step, compute=compute, exchange=exchange)

    def vertices(self, vertices: VertexSet) -> VertexSet:
        """Return vertices of shared arrays."""
        operands = tuple(self._operand(each) for each in vertices.operands)
        fields = {name: self.array(values) for name, values in vertices.fields.items()}
        tile = self.array(vertices.tile)
        known = (tile, *fields.values(), *operands)
        if _same(known, (vertices.tile, *vertices.fields.values(), *vertices.operands)):
            return vertices
        return replace(vertices, tile=tile, fields=fields, operands=operands)

    def _operand(self, operand: Operand) -> Operand:
        regions, segments = self.regions(operand.regions), self._optional(operand.segments)
        if regions is operand.regions and segments is operand.segments:
            return operand
        return Operand(operand.variable, operand.access, regions, segments)

    def transfers(self, transfers: Transfers) -> Transfers:
        """Return transfers of shared arrays."""
        regions = self.regions(transfers.regions)
        parts: dict[str, Any] = {name: getattr(transfers, name) for name in _TRANSFERS}
        known: dict[str, Any] = {name: self._optional(array) for name, array in parts.items()}
        if regions is transfers.regions and _same(tuple(known.values()), tuple(parts.values())):
            return transfers
        return replace(transfers, regions=regions, **known)

    def _optional(self, array: IntArray | None) -> IntArray | None:
        return None if array is None else self.array(array)


def _same(some: tuple[object, ...], others: tuple[object, ...]) -> bool:
    """Return whether two tuples of equal length hold the same objects."""
    return all(map(is_, some, others))


def _sample(array: AnyArray) -> bytes:
    """Return some elements of an array, as bytes: from the start on, at a distance that meets every column of a row."""
    return bytes(array.reshape(-1)[:: _distance(array.size)].tobytes())


@lru_cache(maxsize=4096)
def _distance(n_elements: int) -> int:
    """Return the distance between the elements by which an array of so many is told apart."""
    distance = 1 + n_elements // _SAMPLED
    while gcd(distance, 6) > 1:
        distance += 1
    return distance


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
