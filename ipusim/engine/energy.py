"""Energy of a program: what its vertices and transfers perform, superstep by superstep, and what that takes.

Reads the program for the work and the trace for cycles and bytes; like timing, it never looks at a value. Vertex sets
and phases that are alike are counted once.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from ipusim.chip.model import Chip
from ipusim.codelets.registry import codelet
from ipusim.codelets.work import Traffic
from ipusim.cost.energy import (
    Energy,
    Work,
    control_energy,
    dram_energy,
    exchange_energy,
    missing_energy_fields,
    static_energy,
    work_energy,
)
from ipusim.engine.trace import SuperstepTime, Trace
from ipusim.ir.program import Operand, Program, Repeat, Superstep, VertexSet
from ipusim.ir.sharing import Key, vertices_key


@dataclass(frozen=True, slots=True)
class SuperstepEnergy:
    """Energy of one superstep of the program.

    Attributes
    ----------
    name, op : str
    count : int
        How often it runs.
    energy : Energy
        Of one run.
    """

    name: str
    op: str
    count: int
    energy: Energy


@dataclass(frozen=True, slots=True)
class EnergyTrace:
    """Energy of a whole program.

    Attributes
    ----------
    steps : tuple of SuperstepEnergy
        In program order; loops are kept as counts.
    missing : tuple of str
        Constants that the chip lacks; then there are no steps.
    """

    steps: tuple[SuperstepEnergy, ...]
    missing: tuple[str, ...] = ()

    @property
    def total(self) -> Energy:
        """Energy of the program: the sum over all supersteps and their runs."""
        return sum((step.energy.times(step.count) for step in self.steps), Energy())

    def by_op(self) -> dict[str, Energy]:
        """Return the energy of each op that has supersteps."""
        found: dict[str, Energy] = {}
        for step in self.steps:
            found[step.op] = found.get(step.op, Energy()) + step.energy.times(step.count)
        return found


def measure_energy(program: Program, trace: Trace, chip: Chip) -> EnergyTrace:
    """Return the energy of every superstep of `program` on `chip`.

    Parameters
    ----------
    program : Program
    trace : Trace
        Of the same program on the same chip.
    chip : Chip
    """
    work = list(_superstep_work(program, chip))
    formats = [(part.inputs, part.partials) for parts in work for part in parts if part.inputs]
    missing = missing_energy_fields(chip, formats, any(time.dram_bytes for time in trace.steps))
    if missing:
        return EnergyTrace((), missing)
    found: dict[tuple[int, ...], Energy] = {}
    steps = []
    for parts, time in zip(work, trace.steps, strict=True):
        key = (*(id(part) for part in parts), id(time.tile_compute), id(time.bytes_sent), time.cycles)
        if key not in found:
            found[key] = _superstep_energy(parts, time, chip)
        steps.append(SuperstepEnergy(time.name, time.op, time.count, found[key]))
    return EnergyTrace(tuple(steps))


def _superstep_energy(parts: tuple[Work, ...], time: SuperstepTime, chip: Chip) -> Energy:
    total = Energy()
    for part in parts:
        total += work_energy(part, chip)
    amp_cycles = sum(part.amp_cycles for part in parts)
    total += exchange_energy(int(time.bytes_sent.sum()), int(time.bytes_received.sum()), chip)
    total += control_energy(int(time.tile_compute.sum()), amp_cycles, int(time.sync_cycles > 0), chip)
    if time.dram_bytes:
        total += dram_energy(time.dram_bytes, chip)
    return total + static_energy(time.cycles, chip)


def _superstep_work(program: Program, chip: Chip) -> Iterator[tuple[Work, ...]]:
    """Yield what each superstep performs in one run, in the order of :meth:`Program.supersteps`."""
    found: dict[Key, Work] = {}

    def work_of(step: Superstep, in_loop: bool) -> Iterator[Work]:
        for vertices in step.compute:
            key = (in_loop, vertices_key(vertices, program))
            if key not in found:
                found[key] = vertex_work(vertices, program, chip, in_loop)
            yield found[key]

    for step in program.steps:
        for inner in step.body if isinstance(step, Repeat) else (step,):
            yield tuple(work_of(inner, isinstance(step, Repeat)))


def vertex_work(vertices: VertexSet, program: Program, chip: Chip, in_loop: bool) -> Work:
    """Return what the vertices of a set perform together, in one iteration if they are `in_loop`."""
    return codelet(vertices.codelet).work(vertices, chip, _traffic(vertices.operands, program, in_loop))


def _traffic(operands: tuple[Operand, ...], program: Program, in_loop: bool) -> Traffic:
    read = written = elements = 0
    for operand in operands:
        regions = operand.regions
        touched = int(np.maximum(regions.n_elements, 0).sum()) * (1 if in_loop else regions.count)
        n_bytes = touched * program.variables[operand.variable].element_bytes
        read += n_bytes if "in" in operand.access else 0
        if "out" in operand.access:
            written += n_bytes
            elements += touched
    return Traffic(read, written, elements)
