"""Outlining: repeated layers run the same exchange code, from operands that are copied to a common place first.

Exchange code names addresses and moments: layers with the same transfers between the same tiles can share it if what
they send lies at the same addresses. What a layer makes itself does, when all layers lay out their memory alike; its
weights, and what an earlier layer left, do not. A copy on the tile brings these to the common place just before the
first exchange that sends them; it costs cycles and room for one layer's operands, and saves the code of all layers but
one.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from hashlib import blake2b

import numpy as np

from ipusim.ir.movement import Movement, Repacking, Source
from ipusim.ir.program import Operand, Program, Repeat, Superstep, TileArray, Transfers, Variable, VertexSet
from ipusim.ir.regions import IntArray, Regions

Unit = Superstep | Repeat
Loop = tuple[int, int, int]
"""First unit, units of a body, number of bodies."""


def outline(program: Program) -> Program | None:
    """Return the program whose repeated layers share their exchange code, or None if it has none.

    Parameters
    ----------
    program : Program
        Straight-line code, but for loops over serial slices.
    """
    digests = _Digests(program)
    signs = np.array([digests.number(unit) for unit in program.steps], dtype=np.int64)
    weights = np.array([sum(len(step.exchange) for step in _body(unit)) for unit in program.steps], dtype=np.int64)
    loops = list(_loops(signs, weights, 0, len(signs)))
    if not loops:
        return None
    steps = list(program.steps)
    variables = dict(program.variables)
    copied: dict[int, VertexSet] = {}
    numbers: dict[str, int] = {}
    for first, size, count in reversed(loops):
        originals = steps[first : first + size]
        bodies: list[Unit] = []
        for number in range(count):
            body = steps[first + number * size : first + (number + 1) * size]
            shared = [_with_code(unit, twin) if number else unit for unit, twin in zip(body, originals, strict=True)]
            bodies += _called(shared, variables, copied, numbers)
        steps[first : first + size * count] = bodies
    return replace(program, steps=tuple(steps), variables=variables)


def _body(unit: Unit) -> tuple[Superstep, ...]:
    return unit.body if isinstance(unit, Repeat) else (unit,)


class _Digests:
    """One number for all units of a program that run the same vertices and transfers, apart from the variables."""

    def __init__(self, program: Program) -> None:
        self._program = program
        self._numbers: dict[object, int] = {}
        self._arrays: dict[int, tuple[IntArray | TileArray, bytes]] = {}
        self._sizes: dict[tuple[int, int, int], tuple[Regions, IntArray]] = {}

    def number(self, unit: Unit) -> int:
        count = unit.count if isinstance(unit, Repeat) else 1
        key = (count, tuple(self._superstep(step) for step in _body(unit)))
        return self._numbers.setdefault(key, len(self._numbers))

    def _superstep(self, step: Superstep) -> object:
        vertices = tuple((each.codelet, self._array(each.tile)) for each in step.compute)
        return vertices, tuple(self._transfers(each) for each in step.exchange), bool(step.streams)

    def _transfers(self, each: Transfers) -> object:
        element_bytes = self._program.variables[each.variable].element_bytes
        arrays: list[IntArray | TileArray] = [self._bytes(each.regions, element_bytes), each.source, each.group]
        arrays += [each.group_indptr, each.group_tiles]
        arrays += [array for array in (each.bytes_sent, each.bytes_received) if array is not None]
        return tuple(self._array(array) for array in arrays)

    def _bytes(self, regions: Regions, element_bytes: int) -> IntArray:
        """Return the bytes of each region; they are the same array for regions with the same bounds."""
        key = (id(regions.begin), id(regions.end), element_bytes)
        if key not in self._sizes:
            self._sizes[key] = regions, regions.n_elements * element_bytes
        return self._sizes[key][1]

    def _array(self, array: IntArray | TileArray) -> bytes:
        if id(array) not in self._arrays:
            self._arrays[id(array)] = array, blake2b(np.ascontiguousarray(array).tobytes(), digest_size=16).digest()
        return self._arrays[id(array)][1]


def _loops(signs: IntArray, weights: IntArray, begin: int, end: int) -> Iterator[Loop]:
    """Yield the repetitions within a range of units: the one that saves most exchanges, then those around it.

    A repetition keeps the exchanges of its first body. So none of a size can save more than all exchanges but those of
    the units in a row, as many, that have the fewest; and larger ones can save still less.
    """
    best, saved = None, 0
    here = signs[begin:end]
    total = np.concatenate([[0], np.cumsum(weights[begin:end])])
    for size in range(1, len(here) // 2 + 1):
        if total[-1] - (total[size:] - total[:-size]).min() <= saved:
            break
        alike = np.concatenate([[False], here[:-size] == here[size:], [False]])
        edges = np.flatnonzero(alike[1:] != alike[:-1]).reshape(-1, 2)
        for first, last in edges[edges[:, 1] - edges[:, 0] >= size]:
            count = int(last - first) // size + 1
            saving = int(total[first + count * size] - total[first + size])
            if saving > saved:
                best, saved = (begin + int(first), size, count), saving
    if best is None:
        return
    first, size, count = best
    yield from _loops(signs, weights, begin, first)
    yield best
    yield from _loops(signs, weights, first + size * count, end)


def _with_code(unit: Unit, twin: Unit) -> Unit:
    if isinstance(unit, Superstep):
        assert isinstance(twin, Superstep)
        return replace(unit, code=twin.name) if unit.exchange else unit
    body = (replace(step, code=other.name) for step, other in zip(unit.body, _body(twin), strict=True))
    return Repeat(unit.count, tuple(body))


def _called(
    body: Sequence[Unit], variables: dict[str, Variable], copied: dict[int, VertexSet], numbers: dict[str, int]
) -> list[Unit]:
    """Return the units of one body with copies of what it sends but has not made; declare these in `variables`.

    `copied` has the vertices that have copied a home before, by its identity; `numbers` how many copies of each
    variable there are.
    """
    steps: list[Unit] = []
    made: set[str] = set()
    copies: dict[str, str] = {}
    for unit in body:
        wanted = dict.fromkeys(name for name in _sent(unit) if name not in made and name not in copies)
        new = [variables[name] for name in wanted if variables[name].home is not None]
        for variable in new:
            copies[variable.name] = _declare(variables, variable, numbers)
        if new:
            op = _body(unit)[0].op
            steps.append(Superstep(f"{op}/copy in", op, compute=tuple(_copy(variable, copied) for variable in new)))
        renamed = tuple(_renamed(step, copies) for step in _body(unit))
        steps.append(Repeat(unit.count, renamed) if isinstance(unit, Repeat) else renamed[0])
        for step in _body(unit):
            made |= _made(step)
            for name in made & set(copies):
                del copies[name]
    return steps


def _sent(unit: Unit) -> Iterator[str]:
    """Yield the variables that the exchanges of a unit send."""
    for step in _body(unit):
        for transfers in step.exchange:
            yield from transfers.origins or (transfers.variable,)


def _made(step: Superstep) -> set[str]:
    made = {each.variable for vertices in step.compute for each in vertices.operands if each.access != "in"}
    made |= {str(vertices.settings["variable"]) for vertices in step.compute if "variable" in vertices.settings}
    return made | set(step.streams)


def _declare(variables: dict[str, Variable], variable: Variable, numbers: dict[str, int]) -> str:
    """Declare a copy of a variable; `numbers` has how many of each there are already."""
    number = numbers.get(variable.name, 1)
    name = f"{variable.name}.in" if number == 1 else f"{variable.name}.in#{number}"
    while name in variables:
        number += 1
        name = f"{variable.name}.in#{number}"
    numbers[variable.name] = number
    variables[name] = replace(variable, name=name, kind="copy", tensor="", index=None, over="")
    return name


def _copy(variable: Variable, copied: dict[int, VertexSet]) -> VertexSet:
    """Return the vertices that copy a variable's elements on each tile: as a slice of the weights of all layers."""
    assert variable.home is not None
    known = copied.get(id(variable.home))
    if known is not None:
        return replace(known, settings={"dtype": variable.dtype, "source": variable.name})
    regions = variable.home.regions
    elements = np.bincount(variable.home.tile, weights=regions.n_elements * regions.count).astype(np.int64)
    tile = np.flatnonzero(elements).astype(np.int32)
    copied[id(variable.home)] = VertexSet(
        codelet="dynamic_slice_1d",
        label="copy in",
        tile=tile,
        fields={"region_elements": elements[tile], "n_slices": np.ones(len(tile), dtype=np.int64)},
        operands=(),
        settings={"dtype": variable.dtype, "source": variable.name},
    )
    return copied[id(variable.home)]


def _renamed(step: Superstep, copies: dict[str, str]) -> Superstep:
    """Return a superstep that uses copies instead of their originals."""
    if not copies:
        return step
    exchange = tuple(_sending(each, copies) for each in step.exchange)
    return replace(step, compute=tuple(_of_copies(vertices, copies) for vertices in step.compute), exchange=exchange)


def _sending(transfers: Transfers, copies: dict[str, str]) -> Transfers:
    if copies.keys().isdisjoint((transfers.variable, *transfers.origins)):
        return transfers
    origins = tuple(copies.get(name, name) for name in transfers.origins)
    return replace(transfers, variable=copies.get(transfers.variable, transfers.variable), origins=origins)


def _of_copies(vertices: VertexSet, copies: dict[str, str]) -> VertexSet:
    payload = vertices.payload
    if not isinstance(payload, Movement | Repacking) and copies.keys().isdisjoint(
        each.variable for each in vertices.operands
    ):
        return vertices
    operands = tuple(_operand(each, copies) for each in vertices.operands)
    if isinstance(payload, Movement):
        payload = _movement(payload, copies)
    if isinstance(payload, Repacking):
        source = payload.source
        payload = replace(payload, source=replace(source, variable=copies.get(source.variable, source.variable)))
    return replace(vertices, operands=operands, payload=payload)


def _operand(operand: Operand, copies: dict[str, str]) -> Operand:
    return replace(operand, variable=copies[operand.variable]) if operand.variable in copies else operand


def _movement(movement: Movement, copies: dict[str, str]) -> Movement:
    operands: list[tuple[Movement | Source | str, tuple[int, ...]]] = []
    for operand, shape in movement.operands:
        if isinstance(operand, Movement):
            operands.append((_movement(operand, copies), shape))
        elif isinstance(operand, Source):
            operands.append((replace(operand, variable=copies.get(operand.variable, operand.variable)), shape))
        else:
            operands.append((operand, shape))
    return replace(movement, operands=tuple(operands))
