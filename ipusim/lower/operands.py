"""Bring an operand to where an op wants it: place a graph input there, or move what another op has left elsewhere."""

from __future__ import annotations

from ipusim.ir.movement import Repacking
from ipusim.ir.program import Home, Superstep, Variable
from ipusim.lower.builder import Builder
from ipusim.lower.homes import home_bytes, same_home, same_place
from ipusim.lower.movement import move
from ipusim.lower.relocation import relocate


def bring(builder: Builder, op: str, tensor: str, shape: tuple[int, int, int], home: Home) -> Variable:
    """Return a variable that holds `tensor` at `home`, adding a rearrangement where it lives elsewhere.

    A graph input that nobody has placed is simply created there: the host writes it in the layout that the first op
    wants, as the published benchmarks do. What only waits for being moved goes there directly. Everything else is
    exchanged and copied into place; a weight that is trained stays where it was at first, too, until its new value
    overwrites it.
    """
    current = builder.placed(tensor)
    if current is None and builder.root(tensor) in builder.pending:
        return move(builder, tensor, shape, home)
    if current is None:
        return builder.create_input(tensor, shape, home)
    home = builder.sharing.home(home)
    if current.shape == shape and same_home(current.home, home):
        return current
    key = ("same place", current.shape, id(current.home), shape, id(home))
    if builder.sharing.once(key, lambda: same_place(current, shape, home)):
        return builder.place_view(tensor, shape, home, current)
    first = builder.first_place(tensor) if tensor in builder.graph.updates else None
    if first is not None and first.shape == shape and same_home(first.home, home):
        return first
    target = builder.place_tensor(tensor, shape, home)
    builder.steps.extend(rearrangement(builder, op, current, target))
    return target


def rearrangement(
    builder: Builder, op: str, source: Variable, target: Variable, repacking: Repacking | None = None
) -> tuple[Superstep, ...]:
    """Return the supersteps that move a variable to another home: an exchange, then a copy on every tile.

    With a `repacking` the target has a storage of its own, with the elements in another order.
    """
    labels = (f"{op}/rearrange {target.storage}", f"{op}/copy {target.storage}")
    sharing, n_tiles = builder.sharing, builder.chip.n_tiles
    key = ("home bytes", id(source.home), source.element_bytes)
    sent = sharing.once(key, lambda: sharing.array(home_bytes(source, n_tiles)))
    if repacking is None:
        return relocate(sharing, op, labels, source.name, target, sent)
    return relocate(sharing, op, labels, target.name, target, sent, (source.name,), repacking)
