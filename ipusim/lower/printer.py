"""A program in a form that a person can read, stable enough to be a golden test."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from ipusim.ir.program import Operand, Program, Repeat, Superstep, TileArray, Transfers, Variable, VertexSet
from ipusim.ir.regions import IntArray


def print_program(program: Program) -> str:
    """Return the listing of a program: variables and their homes, then the supersteps with vertices and transfers."""
    lines = [f"program {program.name} on {program.n_tiles} tiles", "", "variables"]
    lines += [f"  {_variable(variable)}" for variable in program.variables.values()]
    lines += ["", "supersteps"]
    number = 0
    for step in program.steps:
        if isinstance(step, Repeat):
            lines.append(f"  repeat {step.count} times")
            for inner in step.body:
                number += 1
                lines += [f"    {line}" for line in _superstep(program, inner, number)]
        else:
            number += 1
            lines += [f"  {line}" for line in _superstep(program, step, number)]
    lines.append("")
    lines.append(f"outputs: {', '.join(f'{tensor} in {name}' for tensor, name in program.outputs.items())}")
    return "\n".join(lines)


def _variable(variable: Variable) -> str:
    shape = "x".join(str(extent) for extent in variable.shape)
    text = f"{variable.name}: {variable.dtype}[{shape}] {variable.kind}"
    if variable.storage != variable.name:
        text += f", values of {variable.storage}"
    if variable.over:
        text += f", in the memory of {variable.over}"
    if variable.home is None:
        return f"{text}, where its vertices leave it"
    pieces = variable.home.regions.n_elements * variable.home.regions.count
    return f"{text}, on {_tiles(variable.home.tile)} with {_range(pieces)} elements each"


def _superstep(program: Program, step: Superstep, number: int) -> Iterator[str]:
    yield f"{number}. {step.name}{f', with the exchange code of {step.code}' if step.code else ''}"
    for name in step.streams:
        variable = program.variables[name]
        when = ", while the tiles compute" if step.early or step.ahead else ""
        n_bytes = -(-variable.n_elements * variable.element_bytes // step.slices)
        what = f"{name} from DRAM" if step.slices == 1 else f"one of {step.slices} slices of {name} from DRAM"
        yield f"   stream   {what}: {n_bytes} bytes{when}"
    for vertices in step.compute:
        yield f"   compute  {_vertices(vertices)}"
    for transfers in step.exchange:
        yield f"   exchange {_transfers(program, transfers)}"


def _vertices(vertices: VertexSet) -> str:
    fields = ", ".join(f"{name} {_range(values)}" for name, values in vertices.fields.items())
    operands = "".join(f" {_operand(operand)}" for operand in vertices.operands)
    separator = ";" if operands else ""
    return f"{vertices.codelet} ({vertices.label}) on {_tiles(vertices.tile)}: {fields}{separator}{operands}"


def _operand(operand: Operand) -> str:
    return f"{operand.access}:{operand.variable}"


def _transfers(program: Program, transfers: Transfers) -> str:
    pieces = transfers.regions.n_elements * program.variables[transfers.variable].element_bytes
    members = np.diff(transfers.group_indptr)
    if transfers.bytes_received is not None:
        received = transfers.bytes_received[transfers.bytes_received > 0]
        return f"{transfers.variable} ({transfers.label}): {_range(received)} bytes to each of {len(received)} tiles"
    return (
        f"{transfers.variable} ({transfers.label}): {len(transfers.regions)} pieces of {_range(pieces)} bytes "
        f"to {len(members)} groups of {_range(members)} tiles"
    )


def _tiles(tile: TileArray) -> str:
    if len(tile) == 0:
        return "no tiles"
    distinct = np.unique(tile)
    span = f"{distinct[0]}-{distinct[-1]}" if len(distinct) > 1 else str(distinct[0])
    return f"{len(distinct)} tiles ({span})" if len(distinct) > 1 else f"tile {span}"


def _range(values: IntArray) -> str:
    if len(values) == 0:
        return "no"
    low, high = int(values.min()), int(values.max())
    return str(low) if low == high else f"{low}..{high}"
