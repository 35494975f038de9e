"""Independent work of several ops in one superstep: fewer barriers, fewer compute sets, shorter waits for the slowest.

Every superstep is taken apart into its compute set and its exchange. In program order, each of these parts joins the
latest superstep that has a part of its kind already and comes after all that it depends on; where there is none it
stays behind all others. What joins takes no longer than alone: the slowest tile of two compute sets together is never
slower than the slowest of one plus the slowest of the other, and a barrier is saved. The latest such superstep keeps
what is delivered early from taking room for long.

The supersteps of sparse products stay as they are: their costs are published and measured for a product on its own.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace

from ipusim.ir.movement import MOVEMENTS
from ipusim.ir.program import Program, Repeat, Superstep, Transfers, VertexSet

COMPUTE, EXCHANGE = "compute", "exchange"


@dataclass(frozen=True, slots=True)
class _Uses:
    """Storages that a part reads, writes, and brings to other tiles; variables it reads and completes."""

    reads: frozenset[str]
    writes: frozenset[str]
    places: frozenset[str]
    read_variables: frozenset[str]
    made_variables: frozenset[str]


@dataclass(slots=True)
class _Slot:
    """A superstep under construction; a fixed one takes no further parts."""

    name: str
    op: str
    fixed: Superstep | Repeat | None = None
    compute: list[VertexSet] = field(default_factory=list)
    exchange: list[Transfers] = field(default_factory=list)
    fused: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class _Event:
    """A part that has its place: the slot, and whether it is the exchange at its end."""

    slot: int
    kind: str
    op: str
    uses: _Uses
    strict: bool


def pack_supersteps(program: Program, apart: frozenset[str] = frozenset()) -> Program:
    """Return the program with independent compute sets and exchanges of different ops in common supersteps.

    Parameters
    ----------
    program : Program
    apart : frozenset of str
        Ops whose supersteps stay as they are.

    Notes
    -----
    Programs that stream from DRAM are left alone: what a stream hides depends on the supersteps beside it.
    """
    if any(step.streams for step, _ in program.supersteps()):
        return program
    packer = _Packer(program)
    for step in program.steps:
        packer.add(step, isinstance(step, Superstep) and step.op in apart)
    return replace(program, steps=packer.steps())


class _Packer:
    """Puts the parts of a program into slots, in program order."""

    def __init__(self, program: Program) -> None:
        self._program = program
        self._slots: list[_Slot] = []
        self._last: dict[tuple[str, str], list[_Event]] = {}
        self._of_op: dict[str, list[_Event]] = {}
        self._makers: dict[str, list[_Event]] = {}
        self._placed = {variable.name for variable in program.initial}

    def add(self, step: Superstep | Repeat, apart: bool) -> None:
        """Give the parts of a step their slots."""
        if apart or isinstance(step, Repeat):
            self._add_whole(step)
            return
        before: _Event | None = None
        if step.compute:
            before = self._add_part(step, COMPUTE, None)
        if step.exchange:
            self._add_part(step, EXCHANGE, before)

    def steps(self) -> tuple[Superstep | Repeat, ...]:
        """Return the supersteps."""
        return tuple(slot.fixed or _superstep(slot) for slot in self._slots)

    def _add_whole(self, whole: Superstep | Repeat) -> None:
        self._slots.append(_Slot("", "", fixed=whole))
        for step in whole.body if isinstance(whole, Repeat) else (whole,):
            for kind in (COMPUTE, EXCHANGE):
                uses = self._uses(step, kind)
                self._note(_Event(len(self._slots) - 1, EXCHANGE, step.op, uses, True))

    def _add_part(self, step: Superstep, kind: str, before: _Event | None) -> _Event:
        uses = self._uses(step, kind)
        strict = kind == COMPUTE and not all(_says_what_it_touches(vertices) for vertices in step.compute)
        needed = list(self._needed(step.op, uses, strict))
        if before is not None and (strict or before.strict):
            needed.append(before)
        # a compute set runs before the exchange of its superstep
        after = (event.slot + int(not (event.kind == COMPUTE and kind == EXCHANGE)) for event in needed)
        slot = self._join(step, kind, max(after, default=0))
        event = _Event(slot, kind, step.op, uses, strict)
        self._note(event)
        return event

    def _join(self, step: Superstep, kind: str, earliest: int) -> int:
        """Put a part of a step into the latest slot of its kind that is not before `earliest`; return the slot."""
        last = len(self._slots) - 1
        alike = (index for index in range(last, earliest - 1, -1) if getattr(self._slots[index], kind))
        index = next(alike, last if last >= earliest and self._slots[last].fixed is None else last + 1)
        if index > last:
            self._slots.append(_Slot(step.name, step.op))
        slot = self._slots[index]
        op = "" if step.op == slot.op else step.op
        if kind == COMPUTE:
            slot.compute += [replace(each, op=op) if op else each for each in step.compute]
            slot.fused += step.fused
        else:
            slot.exchange += [replace(each, op=op) if op else each for each in step.exchange]
        return index

    def _needed(self, op: str, uses: _Uses, strict: bool) -> Iterator[_Event]:
        """Yield the parts that have to be done before a part of an op."""
        own = self._of_op.get(op, [])
        yield from (event for event in own if strict or event.strict)
        touched = uses.reads | uses.writes | uses.places
        for storage in touched:
            yield from self._last.get(("write", storage), ())
            for event in own:
                if storage in event.uses.places:
                    yield event
        for storage in uses.writes:
            yield from self._last.get(("read", storage), ())
            yield from self._last.get(("place", storage), ())
        for name in map(self._memory_of, uses.read_variables):
            if name in self._makers:
                yield from self._makers[name]
            elif name not in self._placed:
                yield from self._last.get(("place", self._program.variables[name].storage), ())

    def _memory_of(self, name: str) -> str:
        """Return the variable in whose memory another one is: itself, unless it is a view."""
        while self._program.variables[name].over:
            name = self._program.variables[name].over
        return name

    def _note(self, event: _Event) -> None:
        self._of_op.setdefault(event.op, []).append(event)
        for how, storages in (("read", event.uses.reads), ("write", event.uses.writes), ("place", event.uses.places)):
            for storage in storages:
                self._last.setdefault((how, storage), []).append(event)
        for name in event.uses.made_variables:
            self._makers.setdefault(name, []).append(event)

    def _uses(self, step: Superstep, kind: str) -> _Uses:
        return self._of_vertices(step.compute) if kind == COMPUTE else self._of_transfers(step.exchange)

    def _of_vertices(self, compute: tuple[VertexSet, ...]) -> _Uses:
        variables = self._program.variables
        operands = [operand for vertices in compute for operand in vertices.operands]
        read = {operand.variable for operand in operands if operand.access != "out"}
        written = {operand.variable for operand in operands if operand.access != "in"}
        reads = {variables[name].storage for name in read}
        writes = {variables[name].storage for name in written}
        places: set[str] = set()
        for vertices in compute:
            if isinstance(vertices.payload, MOVEMENTS):
                writes.add(str(vertices.settings["target"]))
                reads |= {source.storage for source in vertices.payload.sources()}
                read |= {source.variable for source in vertices.payload.sources()}
            elif "target" in vertices.settings:
                places.add(str(vertices.settings["target"]))
            if "variable" in vertices.settings:
                written.add(str(vertices.settings["variable"]))
        return _Uses(frozenset(reads), frozenset(writes), frozenset(places), frozenset(read), frozenset(written))

    def _of_transfers(self, exchange: tuple[Transfers, ...]) -> _Uses:
        variables = self._program.variables
        sent = frozenset(name for each in exchange for name in (each.origins or (each.variable,)))
        placed = frozenset(variables[each.into or each.variable].storage for each in exchange)
        reads = frozenset(variables[name].storage for name in sent)
        return _Uses(reads, frozenset(), placed, sent, frozenset())


def _says_what_it_touches(vertices: VertexSet) -> bool:
    return bool(vertices.operands) or "variable" in vertices.settings


def _superstep(slot: _Slot) -> Superstep:
    return Superstep(slot.name, slot.op, tuple(slot.compute), tuple(slot.exchange), tuple(slot.fused))
