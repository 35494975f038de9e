"""Which tile holds which elements, and the proof that every vertex reads, and every transfer sends, only such.

The values of a running program live once, by storage (:mod:`ipusim.engine.execution`). Here the copies on the tiles are
followed: graph inputs lie in their homes at the start, or arrive there from DRAM in place of older copies; what a
vertex writes is on its tile and nowhere else any more;
what a transfer delivers is on the receiving tiles. Element `e` of a storage on tile `t` is the number
``t * (elements + 1) + e``; the copies of a storage are one set of intervals of such numbers.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from ipusim.errors import ResidencyError
from ipusim.ir.intervals import EMPTY, Intervals, difference, flat_runs, overlapping, union
from ipusim.ir.movement import MOVEMENTS
from ipusim.ir.program import FROM_HOME, Operand, Program, Superstep, TileArray, Transfers, Variable, VertexSet
from ipusim.ir.regions import IntArray, Regions


class Residency:
    """Follows the copies of every storage through the supersteps of a program.

    Parameters
    ----------
    program : Program

    Notes
    -----
    An element that no vertex has written yet counts as zero where it is accessed ``inout``: sums start on a cleared
    tile.
    """

    def __init__(self, program: Program) -> None:
        self._program = program
        self._held: dict[str, Intervals] = {}
        self._written: dict[str, Intervals] = {}
        self._derived = {
            str(vertices.settings["target"]): tuple(source.storage for source in vertices.payload.sources())
            for superstep, _ in program.supersteps()
            for vertices in superstep.compute
            if isinstance(vertices.payload, MOVEMENTS)
        }
        metadata = (variable for variable in program.variables.values() if variable.kind == "metadata")
        for variable in (*program.initial, *metadata):
            if variable.kind != "streamed":
                self._add(variable, self._home_copies(variable))
            self._mark(variable, Intervals(np.array([0]), np.array([_size(variable)])))

    def run(self, superstep: Superstep, iteration: int | None) -> None:
        """Follow one superstep: its reads, then its writes, then its exchange.

        Parameters
        ----------
        superstep : Superstep
        iteration : int or None
            Of the loop that the superstep stands in; None outside of a loop.

        Raises
        ------
        ResidencyError
            Names superstep, vertex, tile, variable and the missing box.
        """
        for variable in (self._program.variables[name] for name in superstep.streams):
            self._held[variable.storage] = self._arrived(superstep, variable, iteration or 0)
        writes: dict[str, list[tuple[Variable, Intervals, TileArray]]] = {}
        for vertices in superstep.compute:
            for operand in vertices.operands:
                variable = self._program.variables[operand.variable]
                for regions in _rounds(operand.regions, iteration):
                    runs, owner = flat_runs(regions, variable.shape)
                    vertex = _vertex_of_region(operand)[owner]
                    if operand.access != "out":
                        self._check_read(superstep, vertices, operand, runs, vertex)
                    if operand.access != "in":
                        self._check_single(superstep, operand, variable, runs)
                        writes.setdefault(variable.storage, []).append((variable, runs, vertices.tile[vertex]))
        for vertices in superstep.compute:
            self._check_race(superstep, vertices, iteration, writes)
        for written in writes.values():
            self._write(superstep, written)
            self._overwrite(written[0][0])
        for vertices in superstep.compute:
            if isinstance(vertices.payload, MOVEMENTS):
                self._complete(str(vertices.settings["target"]))
        self._exchange(superstep, iteration)

    def finish(self) -> None:
        """Check that every output of the program is complete and in its home.

        Raises
        ------
        ResidencyError
            Names the output and the missing box.
        """
        for tensor, name in self._program.outputs.items():
            variable = self._program.variables[name]
            missing, _ = difference(self._home_copies(variable), self._held.get(variable.storage, EMPTY))
            if len(missing.start):
                tile, where = _describe(variable, missing)
                raise ResidencyError(f"end of the program: output {tensor} lacks {where} on its home tile {tile}")

    def _check_read(
        self, superstep: Superstep, vertices: VertexSet, operand: Operand, runs: Intervals, vertex: IntArray
    ) -> None:
        variable = self._program.variables[operand.variable]
        if operand.access == "inout":
            fresh, _ = difference(runs, self._written.get(variable.storage, EMPTY))
            runs, owner = difference(runs, union(fresh))
            vertex = vertex[owner]
        copies = _on_tiles(variable, runs, vertices.tile[vertex])
        missing, owner = difference(copies, self._held.get(variable.storage, EMPTY))
        if len(missing.start):
            first = int(vertex[owner[0]])
            chosen = vertex[owner] == first
            tile, where = _describe(variable, Intervals(missing.start[chosen], missing.end[chosen]))
            raise ResidencyError(
                f"{superstep.name}: vertex {first} ({vertices.codelet}) on tile {tile} reads {where}, "
                "which the tile does not hold"
            )

    def _check_single(self, superstep: Superstep, operand: Operand, variable: Variable, runs: Intervals) -> None:
        """Check that a tensor of the graph is written once: no element that has been written before."""
        if variable.kind != "tensor" or operand.access != "out":
            return
        before = self._written.get(variable.storage, EMPTY)
        rest, _ = difference(runs, before)
        if int((rest.end - rest.start).sum()) < int((runs.end - runs.start).sum()):
            again, _ = difference(runs, union(rest))
            _, where = _describe(variable, again)
            raise ResidencyError(f"{superstep.name}: {where} is written a second time")

    def _check_race(
        self,
        superstep: Superstep,
        vertices: VertexSet,
        iteration: int | None,
        writes: dict[str, list[tuple[Variable, Intervals, TileArray]]],
    ) -> None:
        """Check that no vertex reads what a vertex of the same superstep writes."""
        for operand in vertices.operands:
            variable = self._program.variables[operand.variable]
            if operand.access != "in" or variable.storage not in writes:
                continue
            written = union(*(runs for _, runs, _ in writes[variable.storage]))
            for regions in _rounds(operand.regions, iteration):
                runs, _ = flat_runs(regions, variable.shape)
                apart, _ = difference(runs, written)
                shared, _ = difference(runs, union(apart))
                if len(shared.start):
                    _, where = _describe(variable, shared)
                    raise ResidencyError(f"{superstep.name}: {vertices.codelet} reads {where} while it is written")

    def _write(self, superstep: Superstep, written: list[tuple[Variable, Intervals, TileArray]]) -> None:
        variable = written[0][0]
        runs = Intervals(
            np.concatenate([each.start for _, each, _ in written]), np.concatenate([each.end for _, each, _ in written])
        )
        tiles = np.concatenate([each for _, _, each in written])
        twice = overlapping(runs)
        if twice is not None:
            _, where = _describe(variable, Intervals(np.array([twice]), np.array([twice + 1])))
            raise ResidencyError(f"{superstep.name}: two vertices write {where}")
        held = self._held.get(variable.storage, EMPTY)
        stride = _size(variable) + 1
        self._held[variable.storage], _ = difference(held, union(runs), held.start // stride * stride)
        self._add(variable, _on_tiles(variable, runs, tiles))
        self._mark(variable, runs)

    def _overwrite(self, variable: Variable) -> None:
        """Forget the copies of another storage that a result in the same memory has overwritten."""
        before = self._program.variables[variable.over] if variable.over else variable
        if before.storage != variable.storage:
            held = self._held.get(before.storage, EMPTY)
            self._held[before.storage], _ = difference(held, self._home_copies(before))

    def _complete(self, target: str) -> None:
        """A derived storage is complete once its vertices have run on what its exchange brought."""
        for variable in self._program.variables.values():
            if variable.storage == target:
                self._mark(variable, Intervals(np.array([0]), np.array([_size(variable)])))

    def _exchange(self, superstep: Superstep, iteration: int | None) -> None:
        delivered: list[tuple[Variable, Intervals]] = []
        for transfers in superstep.exchange:
            variable = self._described_in(transfers)
            for regions in _rounds(transfers.regions, iteration):
                runs, piece = flat_runs(regions, variable.shape)
                self._check_source(superstep, transfers, variable, runs, piece)
                delivered.append((variable, _multicast(transfers, variable, runs, piece)))
        for variable, copies in delivered:
            self._add(variable, copies)

    def _described_in(self, transfers: Transfers) -> Variable:
        """Return the variable whose coordinates the pieces have.

        A rearrangement is named after the variable that it moves from, but its pieces are those of the home that it
        moves to, which may be another view of the same storage.
        """
        variable = self._program.variables[transfers.variable]
        for other in self._program.variables.values():
            if other.storage == variable.storage and other.home and other.home.regions is transfers.regions:
                return other
        return variable

    def _check_source(
        self, superstep: Superstep, transfers: Transfers, variable: Variable, runs: Intervals, piece: IntArray
    ) -> None:
        """Check that the senders hold what they send; from home: that some tile does."""
        held = self._held.get(variable.storage, EMPTY)
        source = transfers.source[piece].astype(np.int64)
        named = source != FROM_HOME
        copies = _on_tiles(variable, Intervals(runs.start[named], runs.end[named]), source[named])
        missing, _ = difference(copies, held)
        if len(missing.start):
            tile, where = _describe(variable, missing)
            raise ResidencyError(f"{superstep.name}: tile {tile} sends {where}, which it does not hold")
        wanted = union(Intervals(runs.start[~named], runs.end[~named]))
        origins = self._derived.get(variable.storage)
        if origins is None or variable.storage in self._written:
            self._check_somewhere(superstep, variable, wanted)
            return
        for origin in origins if len(wanted.start) else ():
            taken = next(each for each in self._program.variables.values() if each.storage == origin)
            self._check_somewhere(superstep, taken, Intervals(np.array([0]), np.array([_size(taken)])))

    def _check_somewhere(self, superstep: Superstep, variable: Variable, wanted: Intervals) -> None:
        """Check that every element of a variable that is wanted lies on some tile."""
        held = self._held.get(variable.storage, EMPTY)
        stride = _size(variable) + 1
        missing, _ = difference(wanted, union(Intervals(held.start % stride, (held.end - 1) % stride + 1)))
        if len(missing.start):
            _, where = _describe(variable, missing)
            raise ResidencyError(f"{superstep.name}: {where} is sent from home, but no tile holds it")

    def _arrived(self, superstep: Superstep, variable: Variable, iteration: int) -> Intervals:
        """Return what lies on the tiles of a variable that has come in from DRAM: all of it, or one slice or two."""
        if superstep.slices == 1:
            return self._home_copies(variable)
        last = min(iteration + int(superstep.ahead), superstep.slices - 1)
        return union(*(self._copies_at(variable, each) for each in range(iteration, last + 1)))

    def _copies_at(self, variable: Variable, iteration: int) -> Intervals:
        assert variable.home is not None
        runs, owner = flat_runs(variable.home.regions.at(iteration), variable.shape)
        return _on_tiles(variable, runs, variable.home.tile[owner])

    def _home_copies(self, variable: Variable) -> Intervals:
        if variable.home is None:
            raise ResidencyError(f"{variable.name} has no home")
        pieces = []
        for regions in variable.home.regions.iterations():
            runs, owner = flat_runs(regions, variable.shape)
            pieces.append(_on_tiles(variable, runs, variable.home.tile[owner]))
        return union(*pieces)

    def _add(self, variable: Variable, copies: Intervals) -> None:
        self._held[variable.storage] = union(self._held.get(variable.storage, EMPTY), copies)

    def _mark(self, variable: Variable, runs: Intervals) -> None:
        self._written[variable.storage] = union(self._written.get(variable.storage, EMPTY), runs)


def _size(variable: Variable) -> int:
    groups, rows, cols = variable.shape
    return groups * rows * cols


def _rounds(regions: Regions, iteration: int | None) -> Iterator[Regions]:
    """Yield the regions of one iteration of a loop, or all of them outside of a loop."""
    return regions.iterations() if iteration is None else iter((regions.at(iteration),))


def _vertex_of_region(operand: Operand) -> IntArray:
    if operand.segments is None:
        return np.arange(len(operand.regions), dtype=np.int64)
    counts = np.diff(operand.segments)
    return np.repeat(np.arange(len(counts), dtype=np.int64), counts)


def _on_tiles(variable: Variable, runs: Intervals, tile: TileArray | IntArray) -> Intervals:
    """Return runs of elements as copies on tiles."""
    offset = tile.astype(np.int64) * (_size(variable) + 1)
    return Intervals(runs.start + offset, runs.end + offset)


def _multicast(transfers: Transfers, variable: Variable, runs: Intervals, piece: IntArray) -> Intervals:
    """Return the copies that transfers make on their receivers."""
    indptr = transfers.group_indptr
    group = transfers.group[piece]
    receivers = (indptr[group + 1] - indptr[group]).astype(np.int64)
    run = np.repeat(np.arange(len(piece)), receivers)
    place = indptr[group][run] + np.arange(len(run)) - np.repeat(np.cumsum(receivers) - receivers, receivers)
    return _on_tiles(variable, Intervals(runs.start[run], runs.end[run]), transfers.group_tiles[place])


def _describe(variable: Variable, copies: Intervals) -> tuple[int, str]:
    """Return the tile of the first of some copies, and the box around all elements that lie there, as text."""
    stride = _size(variable) + 1
    tile = int(copies.start[0] // stride)
    here = copies.start // stride == tile
    first, last = copies.start[here] % stride, (copies.end[here] - 1) % stride
    spans = []
    for extent in reversed(variable.shape):
        across = bool((first // extent != last // extent).any())
        low, high = (0, extent - 1) if across else (int((first % extent).min()), int((last % extent).max()))
        spans.append(f"{low}:{high + 1}")
        first, last = first // extent, last // extent
    return tile, f"{variable.name}[{', '.join(reversed(spans))}]"
