"""Results that overwrite an operand nobody reads any more: element by element, in the same place."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from ipusim.engine.memory import shared_memory
from ipusim.ir.expression import Expression
from ipusim.ir.movement import MOVEMENTS
from ipusim.ir.program import Program, Repeat, Superstep, Variable, VertexSet
from ipusim.lower.homes import same_home


def in_place(program: Program) -> Program:
    """Return the program in which elementwise results take over the memory of an operand, where that is legal.

    The operand has the result's format and mapping and is read element by element, as the result is written; nothing
    reads it, or another view of it, later; and it is neither an output of the graph nor an input, unless the result is
    what takes the input's place in the next run, which comes first. What takes an input's place overwrites it in any
    step after its last reader, too, as a weight in a narrow format that is cast from its float32 copy.
    """
    replaced = {new: program.variables[old] for old, new in program.updates.items()}
    last = _last_uses(program)
    root = {each.name: members[0].name for members in shared_memory(program) for each in members}
    there: dict[str, list[str]] = {}
    for name, place in root.items():
        there.setdefault(place, []).append(name)
    users: dict[str, int] = {}
    for name, index in last.items():
        users[root.get(name, name)] = max(index, users.get(root.get(name, name), 0))
    kept = {variable.name for variable in program.initial} | set(program.outputs.values())
    lasting = {root[name] for name in kept if name in root}
    variables = dict(program.variables)
    for index, step in enumerate(program.steps):
        for vertices in step.compute if isinstance(step, Superstep) else ():
            result = program.variables[vertices.operands[-1].variable] if vertices.operands else None
            if result is None or result.over or root.get(result.name) != result.name:
                continue
            used_beside = {root.get(name) for name in _touched_beside(step, vertices)}
            read = _candidates(program, vertices, result)
            unread = [replaced[result.name]] if result.name in replaced else []
            for operand in (*read, *(each for each in unread if each.name in root)):
                place = root[operand.name]
                lasts = place in lasting and program.updates.get(operand.name) != result.name
                taken = users[place] > index if operand in read else users[place] >= index
                if lasts or place in used_beside or taken or not _alike(operand, result):
                    continue
                variables[result.name] = replace(result, over=operand.name)
                _join(root, there, users, result.name, place)
                lasting |= {place} if result.name in lasting else set()
                break
    return replace(program, variables=variables)


def _candidates(program: Program, vertices: VertexSet, result: Variable) -> list[Variable]:
    """Return the operands that are read in the order in which the result is written, one that it replaces first."""
    if not isinstance(vertices.payload, Expression) or vertices.settings.get("in_place"):
        return []
    found = []
    for operand, pattern in zip(vertices.operands, vertices.payload.patterns, strict=True):
        variable = program.variables[operand.variable]
        if operand.access == "in" and not len(pattern) and variable.kind == "tensor" and variable.home is not None:
            found.append(variable)
    return sorted(found, key=lambda each: program.updates.get(each.name) != result.name)


def _alike(one: Variable, other: Variable) -> bool:
    if one.shape != other.shape or one.element_bytes != other.element_bytes or other.home is None:
        return False
    return same_home(one.home, other.home)


def _join(root: dict[str, str], there: dict[str, list[str]], users: dict[str, int], result: str, place: str) -> None:
    """Note that a result, with all its views, is in another variable's memory from now on.

    `root` has the place of each name, `there` the names in each place.
    """
    users[place] = users.pop(result, users[place])
    moved = there.pop(result)
    root |= dict.fromkeys(moved, place)
    there[place] += moved


def _last_uses(program: Program) -> dict[str, int]:
    """Return the last step of the program that touches each variable."""
    last: dict[str, int] = {}
    for index, step in enumerate(program.steps):
        for superstep in step.body if isinstance(step, Repeat) else (step,):
            last |= dict.fromkeys(_touched(superstep), index)
    return last


def _touched_beside(step: Superstep | Repeat, vertices: VertexSet) -> Iterator[str]:
    """Yield what the other vertices of a superstep use, and what it exchanges."""
    if isinstance(step, Superstep):
        yield from _touched(replace(step, compute=tuple(each for each in step.compute if each is not vertices)))


def _touched(step: Superstep) -> Iterator[str]:
    yield from step.streams
    for transfers in step.exchange:
        yield from (transfers.variable, *transfers.origins)
        if transfers.into:
            yield transfers.into
    for vertices in step.compute:
        yield from (operand.variable for operand in vertices.operands)
        yield from (str(vertices.settings[key]) for key in ("source", "variable") if key in vertices.settings)
        if isinstance(vertices.payload, MOVEMENTS):
            yield from (source.variable for source in vertices.payload.sources())
