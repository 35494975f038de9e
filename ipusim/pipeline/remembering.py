"""Levers that were found before, in the cache of plans: the next process takes them without a search."""

from __future__ import annotations

from ipusim.chip.model import Chip
from ipusim.frontends.entries import LEVERS, CompileEntry
from ipusim.ir.graph import Graph
from ipusim.pipeline.choice import Choice, Lever
from ipusim.pipeline.recomputing import SUFFIX
from ipusim.plan.cache import Rows, read_entry, write_entry

Key = tuple[object, ...]
Row = tuple[int, ...]

_OUTLINED, _BOUND, _READERS, _STREAMED, _LEVER = range(5)
"""First number of a row: what it holds."""


def fitting_key(graph: Graph, chip: Chip, options: CompileEntry) -> Key | None:
    """Return what the levers that make a graph fit depend on; None where that is more than the workload says.

    Patterns from files are such a case: the file may change.
    """
    for tensor in graph.tensors.values():
        sparsity, init = tensor.sparsity, tensor.init
        if sparsity is not None and (
            sparsity.pattern == "file" or sparsity.pattern_init is not None or (init is not None and init.file)
        ):
            return None
    return ("levers", repr(graph), chip.model_dump_json(), options.model_dump_json())


def read_levers(key: Key | None, graph: Graph) -> tuple[Choice, tuple[Lever, ...]] | None:
    """Return what was decided for a graph so that it fits, and as levers; None if it is not known.

    Where no levers helped there are none, which is known, too.
    """
    entry = None if key is None else read_entry(key)
    try:
        return None if entry is None else _from_rows(entry[0], _names(graph))
    except (IndexError, ValueError):  # damaged: as if it were not there
        return None


def write_levers(key: Key | None, graph: Graph, choice: Choice, levers: tuple[Lever, ...]) -> None:
    """Keep what was decided for a graph, if there is a key."""
    if key is not None:
        write_entry(key, _rows(choice, levers, _names(graph)), 0)


def _names(graph: Graph) -> list[str]:
    """Return every name that decisions may be about, those of second copies included."""
    names = dict.fromkeys((*graph.tensors, *(op.name for op in graph.ops)))
    return [f"{name}{suffix}" for suffix in ("", SUFFIX) for name in names]


def _rows(choice: Choice, levers: tuple[Lever, ...], names: list[str]) -> Rows:
    """Return decisions as rows of whole numbers, names by their position."""
    at = {name: index for index, name in enumerate(names)}
    rows: list[Row] = [(_OUTLINED, int(choice.outlined))]
    rows += [(_BOUND, at[op], bound) for op, bound in choice.temporaries.items()]
    rows += [(_READERS, at[name], *(at[op] for op in readers)) for name, readers in choice.recomputed.items()]
    rows += [(_STREAMED, at[name]) for name in sorted(choice.streamed)]
    rows += [
        (_LEVER, LEVERS.index(lever.kind), lever.added_cycles, lever.bound, *(at[name] for name in lever.targets))
        for lever in levers
    ]
    return tuple(rows)


def _from_rows(rows: Rows, names: list[str]) -> tuple[Choice, tuple[Lever, ...]]:
    """Return the decisions of rows that :func:`_rows` has made."""

    def named(indices: Row) -> tuple[str, ...]:
        return tuple(names[index] for index in indices)

    def having(what: int) -> list[Row]:
        return [row[1:] for row in rows if row[0] == what]

    choice = Choice(
        temporaries={names[op]: bound for op, bound in having(_BOUND)},
        outlined=any(outlined for (outlined,) in having(_OUTLINED)),
        recomputed={names[name]: named(tuple(readers)) for name, *readers in having(_READERS)},
        streamed=frozenset(names[name] for (name,) in having(_STREAMED)),
    )
    levers = tuple(
        Lever(LEVERS[kind], named(tuple(targets)), cycles, bound) for kind, cycles, bound, *targets in having(_LEVER)
    )
    return choice, levers
