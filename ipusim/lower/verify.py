"""Rules that every program keeps; checked after lowering, whatever the program."""

from __future__ import annotations

import numpy as np

from ipusim.codelets.registry import codelet
from ipusim.errors import VerifierError
from ipusim.ir.program import Home, Program, Superstep, Transfers, VertexSet
from ipusim.ir.regions import IntArray, Regions, volume
from ipusim.ir.sharing import Key, transfers_key, vertices_key


def verify_program(program: Program) -> None:
    """Check a program against the rules of the machine and of its own form.

    Every tile exists; every array has the length that its table says; every vertex has the fields of its codelet;
    every variable is declared; every home covers every element exactly once.

    Raises
    ------
    VerifierError
        Names the superstep or variable and the broken rule.
    """
    known: set[Key] = set()
    for variable in program.variables.values():
        home = variable.home
        if home is not None and _is_new(known, ("home", id(home.tile), id(home.regions), variable.shape)):
            _check_home(program, variable.name, home)
    for step, count in program.supersteps():
        if count < 1:
            raise VerifierError(f"{step.name}: repeated {count} times")
        _check_superstep(program, step, known)
    for tensor, name in {**program.inputs, **program.outputs}.items():
        if name not in program.variables:
            raise VerifierError(f"tensor {tensor} stands for variable {name}, which is not declared")


def _is_new(known: set[Key], key: Key) -> bool:
    """Return whether something has not been checked yet, and note it: parts that are alike are checked once."""
    new = key not in known
    known.add(key)
    return new


def _check_superstep(program: Program, step: Superstep, known: set[Key]) -> None:
    if not step.compute and not step.exchange and not step.streams:
        raise VerifierError(f"{step.name}: neither computes nor exchanges")
    _check_streams(program, step)
    for vertices in step.compute:
        _check_declared(program, f"{step.name}: {vertices.codelet} uses", [each.variable for each in vertices.operands])
        if _is_new(known, vertices_key(vertices, program)):
            _check_vertices(program, step.name, vertices)
    for transfers in step.exchange:
        _check_declared(program, f"{step.name}: sends", [transfers.variable])
        if _is_new(known, transfers_key(transfers, program)):
            _check_transfers(program, step.name, transfers)


def _check_declared(program: Program, where: str, names: list[str]) -> None:
    for name in names:
        if name not in program.variables:
            raise VerifierError(f"{where} {name}, which is not declared")


def _check_streams(program: Program, step: Superstep) -> None:
    if step.streams and (step.compute or step.exchange):
        raise VerifierError(f"{step.name}: streams beside its own vertices or transfers")
    for name in step.streams:
        if name not in program.variables:
            raise VerifierError(f"{step.name}: streams {name}, which is not declared")
        if program.variables[name].home is None:
            raise VerifierError(f"{step.name}: streams {name}, which has no home")


def _check_vertices(program: Program, where: str, vertices: VertexSet) -> None:
    n = len(vertices.tile)
    _check_tiles(program, f"{where}: {vertices.codelet}", vertices.tile)
    kind = codelet(vertices.codelet)
    missing = [name for name in kind.fields if name not in vertices.fields]
    if missing:
        raise VerifierError(f"{where}: {vertices.codelet} lacks the fields {', '.join(missing)}")
    for name, values in vertices.fields.items():
        if len(values) != n or (len(values) and int(values.min()) < 0):
            raise VerifierError(f"{where}: field {name} of {vertices.codelet} is not one count for each vertex")
    for operand in vertices.operands:
        expected = int(operand.segments[-1]) if operand.segments is not None else n
        _check_regions(f"{where}: {operand.variable}", operand.regions, expected)


def _check_transfers(program: Program, where: str, transfers: Transfers) -> None:
    _check_tiles(program, f"{where}: receivers of {transfers.variable}", transfers.group_tiles)
    if len(transfers.source) and int(transfers.source.max()) >= program.n_tiles:
        raise VerifierError(f"{where}: {transfers.variable} is sent from a tile that does not exist")
    _check_regions(f"{where}: {transfers.variable}", transfers.regions, len(transfers.source))
    if len(transfers.group) and int(transfers.group.max()) + 1 >= len(transfers.group_indptr):
        raise VerifierError(f"{where}: {transfers.variable} is sent to a group that does not exist")


def _check_tiles(program: Program, where: str, tiles: np.ndarray[tuple[int], np.dtype[np.int32]]) -> None:
    if len(tiles) and (int(tiles.min()) < 0 or int(tiles.max()) >= program.n_tiles):
        raise VerifierError(f"{where}: a tile outside 0..{program.n_tiles - 1}")


def _check_regions(where: str, regions: Regions, expected: int) -> None:
    if len(regions) != expected:
        raise VerifierError(f"{where}: {len(regions)} regions where {expected} are needed")
    if len(regions) and (
        int(regions.begin.min()) < 0 or bool((regions.end > volume(regions.box)).any()) or int(regions.box.min()) < 0
    ):
        raise VerifierError(f"{where}: a region outside its box")


def _check_home(program: Program, name: str, home: Home) -> None:
    """Check that a home covers its variable exactly once, by counting and by extent.

    The pieces of all iterations, cut to the variable's edge, have to add up to its elements. (That no two of them
    overlap, and that runs of boxes that stand past the edge fit together, is shown element by element in the residency
    check.)
    """
    _check_tiles(program, f"home of {name}", home.tile)
    regions, shape = home.regions, program.variables[name].shape
    stepping = sum(distance != 0 for distance in regions.step)
    if stepping > 1:
        raise VerifierError(f"home of {name} steps along {stepping} axes")
    last = regions.box[:, 1::2] + (regions.count - 1) * np.asarray(regions.step, dtype=np.int64)
    padded = (last > np.asarray(shape)).any(axis=1)
    whole = (regions.begin == 0) & (regions.end == volume(regions.box))
    if bool((padded & ~whole).any()):
        return
    inside = regions.count * regions.n_elements
    if bool(padded.any()):
        clipped = np.full(len(regions), 1 if stepping else regions.count, dtype=np.int64)
        for axis, extent in enumerate(shape):
            clipped *= _length_inside(regions, axis, extent)
        inside = np.where(padded, clipped, inside)
    covered = int(inside.sum())
    elements = shape[0] * shape[1] * shape[2]
    if covered != elements:
        raise VerifierError(f"home of {name} covers {covered} of {elements} elements")


def _length_inside(regions: Regions, axis: int, extent: int) -> IntArray:
    """Return the length of each box before the variable's edge, over all iterations if they step along this axis."""
    low, high = regions.box[:, 2 * axis], regions.box[:, 2 * axis + 1]
    if not regions.step[axis]:
        return np.minimum(high, extent) - np.minimum(low, extent)
    _, first, inverse = np.unique(low * (high.max() + 1) + high, return_index=True, return_inverse=True)
    offset = regions.step[axis] * np.arange(regions.count)
    begin, end = (np.minimum(bound[first, None] + offset, extent) for bound in (low, high))
    length: IntArray = (end - begin).sum(axis=1)[inverse]
    return length
