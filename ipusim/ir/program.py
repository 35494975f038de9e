"""The program: supersteps of vertices and transfers on tiles, as structures of arrays.

A program never holds a Python object per vertex or per tile: a million vertices are a handful of arrays. Two consumers
read it: timing (:mod:`ipusim.engine.timing`) never sees a value, execution (:mod:`ipusim.engine.execution`) never sees
a cycle.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from ipusim.ir.regions import IntArray, Regions

TileArray = NDArray[np.int32]

FROM_HOME = -1
"""Source of a transfer whose data comes from wherever the variable's home pieces are."""


@dataclass(frozen=True, slots=True)
class Home:
    """Where the elements of a variable live between supersteps: piece ``i`` lives on ``tile[i]``.

    Attributes
    ----------
    tile : int32 array [n]
    regions : Regions
        `n` pieces; together they cover every element exactly once.
    """

    tile: TileArray
    regions: Regions


@dataclass(frozen=True, slots=True)
class Variable:
    """A named array on the chip.

    Attributes
    ----------
    name : str
        Unique in the program.
    shape : tuple of three int
        ``(groups, rows, cols)``.
    dtype : str
        Number format of its elements.
    kind : str
        ``tensor`` (a tensor of the graph, in its final place), ``streamed`` (what one op has on the tiles of a tensor
        that lies in DRAM), ``metadata`` (where the elements of a packed variable
        belong; it stays on the chip, and no kernel reads it as values), ``reserved`` (memory set aside for code and
        stacks), ``copy`` (a second copy, in the common place from which supersteps with shared code send),
        ``partials``, ``temporary`` or ``register`` (what a fused vertex computes on the way and never
        stores: it takes no memory).
    storage : str
        Name of the array that holds its values. Variables with the same storage hold the same values in different
        places: a rearranged tensor shares the storage of the original.
    home : Home or None
        None for a variable that lives just where vertices leave it (partials).
    element_bytes : int
        Bytes of one element on a tile.
    tensor : str
        For a packed variable, which holds chosen elements of a sparse tensor of the graph: that tensor's name.
    index : int64 array, function or None
        For a packed variable: the position in the tensor (row-major) of each of its elements (row-major), or -1 for a
        place that holds no element and is 0. A function makes the array only when values are wanted.
    over : str
        Variable whose memory it takes over: the same elements seen in another way, or, element by element, those of a
        variable that nobody reads any more. Both have the same bytes on the same tiles.
    """

    name: str
    shape: tuple[int, int, int]
    dtype: str
    kind: str
    storage: str
    element_bytes: int
    home: Home | None = None
    tensor: str = ""
    index: IntArray | Callable[[], IntArray] | None = None
    over: str = ""

    @property
    def n_elements(self) -> int:
        """Number of elements."""
        groups, rows, cols = self.shape
        return groups * rows * cols

    def positions(self) -> IntArray:
        """Return `index` of a packed variable as a flat array."""
        assert self.index is not None
        return np.asarray(self.index() if callable(self.index) else self.index, dtype=np.int64).reshape(-1)


@dataclass(frozen=True, slots=True)
class Operand:
    """What each vertex of a set reads or writes of one variable.

    Attributes
    ----------
    variable : str
    access : str
        ``in``, ``out`` or ``inout``.
    regions : Regions
        A region per vertex (or per (vertex, source) where `segments` says so).
    segments : int64 array [n + 1] or None
        When a vertex reads several regions (the partial sums of a reduction), vertex ``i`` reads the regions
        ``segments[i]:segments[i + 1]``, in that order.
    """

    variable: str
    access: str
    regions: Regions
    segments: IntArray | None = None


@dataclass(frozen=True, slots=True)
class VertexSet:
    """Vertices of one codelet in a compute set.

    Attributes
    ----------
    codelet : str
        Name in the registry of :mod:`ipusim.codelets`.
    label : str
        What the cycles are booked under: ``amp``, ``reduce``, ``slice``, ``update``, ``add``, ``cast``, ...
    tile : int32 array [n]
        The tile of each vertex.
    fields : Mapping[str, int64 array [n]]
        What the cycle formula of the codelet needs of each vertex.
    operands : tuple of Operand
        Inputs first, in the order the codelet's kernel takes them.
    settings : Mapping[str, object]
        What is the same for all the vertices (number formats, AMP mode, operator).
    payload : object
        Irregular data that the vertices share, such as the partition of a sparse matrix; only their kernel reads it.
    op : str
        The operator they belong to, where it is not that of their superstep.
    """

    codelet: str
    label: str
    tile: TileArray
    fields: Mapping[str, IntArray]
    operands: tuple[Operand, ...]
    settings: Mapping[str, object] = field(default_factory=dict)
    payload: object = None
    op: str = ""


@dataclass(frozen=True, slots=True)
class Transfers:
    """Multicasts of pieces of one variable: piece ``i`` goes from one tile to every tile of its group.

    Attributes
    ----------
    variable : str
    label : str
        What the cycles are booked under: ``inputs``, ``weights``, ``partials``, ``rearrange``, ...
    source : int32 array [n]
        Sending tile, or :data:`FROM_HOME`.
    regions : Regions
        The piece. A receiving tile that is itself the source already has it and receives nothing.
    group : int32 array [n]
        Index of the destination group.
    group_indptr : int64 array [n_groups + 1]
    group_tiles : int32 array [group_indptr[-1]]
        Tiles of each group, ascending.
    bytes_sent, bytes_received : int64 array [n_tiles] or None
        Given instead of being counted from the pieces where the source is :data:`FROM_HOME`.
    bytes_shared : int64 array [n_tiles] or None
        Of `bytes_received`, those that all tiles of a bus receive together.
    gaps : int64 array [n_tiles] or None
        How often each receiver waits for a multicast of another source, beside the payload.
    into : str
        Variable in whose home the data arrives in its final place; empty if it arrives in room of its own.
    op : str
        The operator that wants the data, where it is not that of the superstep.
    origins : tuple of str
        Variables that the data comes from, where `variable` is only made of it (a movement).
    """

    variable: str
    label: str
    source: TileArray
    regions: Regions
    group: TileArray
    group_indptr: IntArray
    group_tiles: TileArray
    bytes_sent: IntArray | None = None
    bytes_received: IntArray | None = None
    bytes_shared: IntArray | None = None
    gaps: IntArray | None = None
    into: str = ""
    op: str = ""
    origins: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Superstep:
    """One round of the bulk-synchronous machine: compute, sync, exchange.

    A superstep may lack vertices (data is only moved) or transfers (the next round needs nothing from elsewhere).

    Attributes
    ----------
    op : str
        Name of the operator of the graph it belongs to.
    fused : tuple of str
        Names of further operators whose results it computes on the way.
    streams : tuple of str
        Variables that come from DRAM, each to its home; such a superstep does nothing else.
    early : bool
        They come in beside all that runs since the stream before, into room of their own.
    slices : int
        Of so many slices of the variables in `streams`, one for each iteration of a loop, it brings in a single one.
    ahead : bool
        In a loop: that slice is for the next iteration, into room of its own, beside all else of this one; nothing is
        left to bring in beside the last.
    code : str
        Name of an earlier superstep whose exchange code it runs again; empty where it has code of its own.
    """

    name: str
    op: str
    compute: tuple[VertexSet, ...] = ()
    exchange: tuple[Transfers, ...] = ()
    fused: tuple[str, ...] = ()
    streams: tuple[str, ...] = ()
    early: bool = False
    slices: int = 1
    ahead: bool = False
    code: str = ""

    @property
    def guests(self) -> tuple[str, ...]:
        """Names of further operators that have vertices or transfers in it; its cycles are booked under `op`."""
        parts: tuple[VertexSet | Transfers, ...] = (*self.compute, *self.exchange)
        return tuple(dict.fromkeys(part.op for part in parts if part.op not in ("", self.op)))

    @property
    def ops(self) -> tuple[str, ...]:
        """Names of all operators that have a part in it."""
        return tuple(dict.fromkeys((*self.fused, *self.guests, self.op)))


@dataclass(frozen=True, slots=True)
class Repeat:
    """A loop: the supersteps of `body` run `count` times, one after another."""

    count: int
    body: tuple[Superstep, ...]


@dataclass(frozen=True, slots=True)
class Program:
    """A compiled graph.

    Attributes
    ----------
    n_tiles : int
        Tiles of the chip it was compiled for.
    variables : Mapping[str, Variable]
    steps : tuple of Superstep or Repeat
        In the order of execution.
    inputs, outputs : Mapping[str, str]
        Graph tensor name to the variable that holds it at the start, at the end.
    roots : Mapping[str, str]
        Graph tensors that are views of another one, whose storage they share.
    updates : Mapping[str, str]
        Of a program that runs again and again: the variable of an input, and that of the output that takes its place.
    """

    name: str
    n_tiles: int
    variables: Mapping[str, Variable]
    steps: tuple[Superstep | Repeat, ...]
    inputs: Mapping[str, str]
    outputs: Mapping[str, str]
    roots: Mapping[str, str] = field(default_factory=dict)
    updates: Mapping[str, str] = field(default_factory=dict)

    @property
    def initial(self) -> tuple[Variable, ...]:
        """Variables with values at the start: those of the graph inputs, and further packed forms of sparse ones."""
        first = set(self.inputs.values())
        return tuple(
            variable for variable in self.variables.values() if variable.name in first or variable.tensor in self.inputs
        )

    def supersteps(self) -> Iterator[tuple[Superstep, int]]:
        """Yield every superstep with the number of times it runs."""
        for step in self.steps:
            if isinstance(step, Repeat):
                for inner in step.body:
                    yield inner, step.count
            else:
                yield step, 1
