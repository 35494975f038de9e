"""Memory of a program: what every tile holds at every superstep, and where it is fullest.

Graph inputs and outputs are there all the time; everything else from the superstep that writes or delivers it to the
last one that reads it. What streams in from DRAM while the tiles compute needs its room all that time. The loop over
serial slices reuses its temporaries, so it counts once; what outlives an iteration (a variable with a home, an operand
delivered before the loop) is there from the loop's first superstep to its last. Variables in the same memory (views,
and results that overwrite an operand) count once, from the first use of any to the last of any.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from ipusim.chip.model import Chip
from ipusim.engine.streaming import beside_stream
from ipusim.engine.tile_bytes import TileBytes
from ipusim.ir.program import Program, Repeat, Superstep, Transfers, Variable
from ipusim.ir.regions import IntArray

CATEGORIES = ("tensors", "streamed", "metadata", "reserved", "operands", "partials", "copies", "exchange_code")
RESIDENT_KINDS = ("metadata", "reserved", "exchange_code")
"""Variables of these kinds are there all the time."""


@dataclass(frozen=True, slots=True)
class Allocation:
    """Bytes of one thing on every tile while it lives.

    Attributes
    ----------
    name : str
        Variable it belongs to.
    category : str
        One of :data:`CATEGORIES`.
    first, last : int
        Supersteps of the program, counted without repetition, between which it lives (both included).
    bytes_on_tile : int64 array [n_tiles]
    """

    name: str
    category: str
    first: int
    last: int
    bytes_on_tile: IntArray


@dataclass(frozen=True, slots=True)
class MemoryMap:
    """Memory of a program over its supersteps.

    Attributes
    ----------
    tile_sram_bytes : int
        Capacity of a tile.
    allocations : tuple of Allocation
    peak_bytes : int64 array [n_tiles]
        The most that each tile ever holds.
    peak_step : int64 array [n_tiles]
        The superstep of that moment.
    """

    tile_sram_bytes: int
    allocations: tuple[Allocation, ...]
    peak_bytes: IntArray
    peak_step: IntArray

    @property
    def worst_tile(self) -> int:
        """The fullest tile (the first of equals)."""
        return int(self.peak_bytes.argmax())

    @property
    def max_tile_bytes(self) -> int:
        """What the fullest tile holds at its peak."""
        return int(self.peak_bytes.max(initial=0))

    @property
    def total_bytes(self) -> int:
        """The sum of all tiles' peaks."""
        return int(self.peak_bytes.sum())

    @property
    def fits(self) -> bool:
        """Whether every tile has room for its peak."""
        return self.max_tile_bytes <= self.tile_sram_bytes

    @property
    def n_steps(self) -> int:
        """Supersteps of the program, as far as anything lives in them."""
        return max((item.last + 1 for item in self.allocations if item.name), default=1)

    @property
    def always_live(self) -> IntArray:
        """Bytes on each tile that are there from the first superstep to the last: int64 array [n_tiles]."""
        last = self.n_steps - 1
        total: IntArray = np.zeros(len(self.peak_bytes), dtype=np.int64)
        for item in self.allocations:
            if item.first == 0 and item.last >= last:
                total += item.bytes_on_tile
        return total

    def held(self, tile: int) -> IntArray:
        """Return what `tile` holds at every superstep: int64 array [n_steps]."""
        change = np.zeros(self.n_steps + 1, dtype=np.int64)
        for item in self.allocations:
            change[item.first] += item.bytes_on_tile[tile]
            change[min(item.last + 1, self.n_steps)] -= item.bytes_on_tile[tile]
        steps: IntArray = change[:-1].cumsum()
        return steps

    def contents(self, tile: int) -> list[tuple[Allocation, int]]:
        """Return what lies on `tile` at its peak, largest first, with its bytes there."""
        step = int(self.peak_step[tile])
        found = [
            (item, int(item.bytes_on_tile[tile]))
            for item in self.allocations
            if item.first <= step <= item.last and item.bytes_on_tile[tile]
        ]
        return sorted(found, key=lambda pair: -pair[1])

    def by_category(self, tile: int) -> dict[str, int]:
        """Return the bytes on `tile` at its peak by category."""
        total = dict.fromkeys(CATEGORIES, 0)
        for item, n_bytes in self.contents(tile):
            total[item.category] += n_bytes
        return total


def map_memory(program: Program, chip: Chip) -> MemoryMap:
    """Return the memory map of `program` on `chip`."""
    steps = [step for step, _ in program.supersteps()]
    loops = _loops(program)
    uses = _Uses(steps)
    counted = TileBytes(program)
    allocations = (
        *_tensors(program, steps, loops, uses, counted),
        *_operands(program, steps, loops, uses, counted),
        *_partials(program, steps, uses, counted),
        _exchange_code(program, steps, chip, counted),
    )
    arriving: dict[int, list[IntArray]] = {}
    leaving: dict[int, list[IntArray]] = {}
    for item in allocations:
        arriving.setdefault(item.first, []).append(item.bytes_on_tile)
        leaving.setdefault(item.last, []).append(item.bytes_on_tile)
    peak, peak_step, held = (np.zeros(program.n_tiles, dtype=np.int64) for _ in range(3))
    for index in range(max(1, len(steps))):
        for n_bytes in arriving.get(index, ()):
            held += n_bytes
        fuller = held > peak
        peak[fuller] = held[fuller]
        peak_step[fuller] = index
        for n_bytes in leaving.get(index, ()):
            held -= n_bytes
    return MemoryMap(chip.tile_sram_bytes, allocations, peak, peak_step)


class _Uses:
    """The supersteps between which each variable is used.

    A movement takes its elements in the exchange before its copy, and only the copy needs room for the result; what has
    arrived meanwhile is an operand of its own.

    Attributes
    ----------
    first, last : dict of str to int
        First and last superstep that reads, writes, sends or receives a variable.
    last_read : dict of (str, str) to int
        Last superstep of an op whose vertices use a variable, by variable and op.
    slices : dict of str to (int, int)
        Of a variable that comes in slice by slice: how many slices, and how many of them have room at a time.
    """

    def __init__(self, steps: list[Superstep]) -> None:
        self.first: dict[str, int] = {}
        self.last: dict[str, int] = {}
        self.last_read: dict[tuple[str, str], int] = {}
        self.slices: dict[str, tuple[int, int]] = {}
        for index, step in enumerate(steps):
            used: set[str] = set(step.streams)
            for vertices in step.compute:
                op = vertices.op or step.op
                read = {operand.variable for operand in vertices.operands}
                named = (key for key in ("variable", "source") if key in vertices.settings)
                used |= read | {str(vertices.settings[key]) for key in named}
                self.last_read |= dict.fromkeys(((name, op) for name in read), index)
                if "target" in vertices.settings:
                    self.last_read[_copied(str(vertices.settings["target"])), op] = index
            for transfers in step.exchange:
                used |= set(transfers.origins) or {transfers.variable}
                used |= {transfers.into} if transfers.into else set()
            for name in used:
                self.first.setdefault(name, index)
                self.last[name] = index
            if step.slices > 1:
                buffers = 2 if step.ahead else 1
                self.slices |= dict.fromkeys(step.streams, (step.slices, buffers))
            for name in step.streams:
                self.first[name] = min((index, *beside_stream(steps, index)))

    def last_of_delivery(self, program: Program, transfers: Transfers, op: str, index: int) -> int:
        """Return the last superstep that needs what an exchange of an op has delivered in superstep `index`."""
        name = transfers.variable
        if transfers.label == "rearrange":
            name = _copied(program.variables[name].storage)
        return self.last_read.get((name, op), index)


def _copied(storage: str) -> str:
    """Return the name under which it is noted that what has arrived of a storage is copied into its place."""
    return f"{storage}\0"


def _loops(program: Program) -> list[tuple[int, int]]:
    """Return for every superstep the first and the last one of the loop it is in; itself outside of a loop."""
    found: list[tuple[int, int]] = []
    for step in program.steps:
        size = len(step.body) if isinstance(step, Repeat) else 1
        found += [(len(found), len(found) + size - 1)] * size
    return found


def _tensors(
    program: Program, steps: list[Superstep], loops: list[tuple[int, int]], uses: _Uses, counted: TileBytes
) -> Iterator[Allocation]:
    resident = {variable.name for variable in program.initial if variable.kind != "streamed"}
    resident |= set(program.outputs.values())
    for members in shared_memory(program):
        used = [each for each in members if each.name in uses.first]
        first, last = 0, len(steps) - 1
        if not any(each.name in resident or each.kind in RESIDENT_KINDS for each in members):
            if not used:
                continue
            first = min(loops[uses.first[each.name]][0] for each in used)
            last = max(loops[uses.last[each.name]][1] for each in used)
        variable = members[0]
        category = {"tensor": "tensors", "copy": "copies"}.get(variable.kind, variable.kind)
        category = category if category in CATEGORIES else "partials"
        n_bytes = counted.home(variable)
        if variable.name in uses.slices:
            slices, buffers = uses.slices[variable.name]
            n_bytes = n_bytes // slices * buffers
        yield Allocation(variable.name, category, first, last, n_bytes)


def shared_memory(program: Program) -> list[list[Variable]]:
    """Return the variables with a home, those that are in the same memory together, in the order of declaration."""
    groups: dict[str, list[Variable]] = {}
    roots: dict[str, str] = {}
    for variable in program.variables.values():
        if variable.home is None:
            continue
        groups.setdefault(_root(program, variable.name, roots), []).append(variable)
    return list(groups.values())


def _root(program: Program, name: str, roots: dict[str, str]) -> str:
    """Return the first of the variables that one after the other take over the same memory.

    `roots` has those that are known, and every one on the way is added.
    """
    way = []
    while name not in roots and program.variables[name].over:
        way.append(name)
        name = program.variables[name].over
    root = roots.get(name, name)
    roots |= dict.fromkeys((*way, name), root)
    return root


def _operands(
    program: Program, steps: list[Superstep], loops: list[tuple[int, int]], uses: _Uses, counted: TileBytes
) -> Iterator[Allocation]:
    """Yield what exchanges deliver: complete operands, the tile's own share included (they are contiguous)."""
    for index, step in enumerate(steps):
        for transfers in step.exchange:
            if transfers.into:
                continue
            last = uses.last_of_delivery(program, transfers, transfers.op or step.op, index)
            last = last if last > index else min(index + 1, len(steps) - 1)
            if loops[last] != loops[index]:
                last = loops[last][1]
            yield Allocation(transfers.variable, "operands", index, last, counted.delivered(transfers))


def _partials(program: Program, steps: list[Superstep], uses: _Uses, counted: TileBytes) -> Iterator[Allocation]:
    """Yield what vertices leave in variables without a home: partial sums."""
    for index, step in enumerate(steps):
        for vertices in step.compute:
            for operand in vertices.operands:
                variable = program.variables[operand.variable]
                if operand.access != "out" or variable.home is not None or variable.kind == "register":
                    continue
                last = uses.last[variable.name]
                yield Allocation(variable.name, "partials", index, last, counted.left(vertices, operand))


def _exchange_code(program: Program, steps: list[Superstep], chip: Chip, counted: TileBytes) -> Allocation:
    """Return the exchange code, always there: the instructions of every fragment sent and received, one per phase.

    A superstep that runs the code of another one has none of its own. Source: at most nine instruction words for each
    endpoint of a transfer, a word per phase (dense reference, sections 1.5 and 5).
    """
    endpoints = np.zeros(program.n_tiles, dtype=np.int64)
    phases = np.zeros(program.n_tiles, dtype=np.int64)
    for step in steps:
        for transfers in () if step.code else step.exchange:
            here = counted.endpoints(transfers)
            endpoints += here
            phases += here > 0
    words = endpoints * int(chip.exchange_instructions_per_transfer) + phases
    return Allocation("", "exchange_code", 0, len(steps), words * int(chip.exchange_instruction_bytes))
