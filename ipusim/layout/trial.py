"""What one unit costs where its operands lie in certain places: it is lowered on its own and timed.

The costs are those of :mod:`ipusim.engine.timing` by construction. Units that are alike (equal layers of a network) and
have their operands in the same places are tried once.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import partial
from hashlib import blake2b
from typing import Any

from ipusim.chip.model import Chip
from ipusim.engine.timing import time_program
from ipusim.engine.trace import SuperstepTime
from ipusim.ir.graph import Graph
from ipusim.ir.movement import Movement
from ipusim.ir.program import Home, Program, Repeat
from ipusim.ir.tensor import Op
from ipusim.layout.candidates import Unit
from ipusim.lower.builder import Builder
from ipusim.lower.fusion import fused_ops
from ipusim.lower.lowering import lower_op
from ipusim.lower.matmul import product_operands
from ipusim.lower.movement import settle
from ipusim.lower.operands import bring
from ipusim.plan.dense import DensePlan
from ipusim.plan.graph import Plans
from ipusim.plan.layout import Choice, Layout

Shape = tuple[int, int, int]
Place = tuple[Shape, int]
Key = tuple[Any, ...]


@dataclass(slots=True)
class State:
    """Where everything is after some units of a graph.

    Attributes
    ----------
    places : dict of str to (shape, int)
        Tensor to the view and number of the home in which it lies.
    pending : dict of str to (str, Movement)
        Tensors that wait for being moved.
    roots : dict of str to str
        Tensors that are views of others.
    done : frozenset of str
        Ops that others have done.
    fresh : frozenset of str
        Tensors that the last unit has made.
    cycles : int
        Of all units so far, each superstep on its own.
    guess : int
        The same, without barriers of exchanges that can join an earlier one.
    choices : tuple or None
        The last unit with a choice of its own: its name, the choice, and those before.
    """

    places: dict[str, Place] = field(default_factory=dict)
    pending: dict[str, tuple[str, Movement]] = field(default_factory=dict)
    roots: dict[str, str] = field(default_factory=dict)
    done: frozenset[str] = frozenset()
    fresh: frozenset[str] = frozenset()
    cycles: int = 0
    guess: int = 0
    choices: tuple[str, Choice, Any] | None = None

    def root(self, name: str) -> str:
        """Return the tensor that holds the values of another."""
        return self.roots.get(name, name)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a unit does: cycles, and where tensors are afterwards, numbered as in its key."""

    cycles: int
    guess: int
    places: tuple[tuple[int, Place], ...]
    settled: tuple[int, ...]


class Trials:
    """Tries units of a graph, each kind once.

    Parameters
    ----------
    graph : Graph
    plans : mapping of op name to plan
    chip : Chip
    """

    def __init__(self, graph: Graph, plans: Plans, chip: Chip) -> None:
        self._graph, self._plans, self._chip = graph, plans, chip
        self._groups = fused_ops(graph)
        self._ops = {op.name: op for op in graph.ops}
        self._homes: list[Home] = []
        self._numbers: dict[bytes, int] = {}
        self._known: dict[int, int] = {}
        self._outcomes: dict[Key, Outcome] = {}
        self._wanted: dict[Key, tuple[tuple[int, int, Shape, int], ...]] = {}
        self._signatures: dict[tuple[str, ...], Key] = {}

    @property
    def count(self) -> int:
        """How many trials there were; what is alike is tried once."""
        return len(self._outcomes)

    def after(self, state: State, unit: Unit, choice: Choice) -> State:
        """Return the state after a unit has done its choice."""
        members = (*unit.ops, *(self._ops[name] for name in choice.together))
        if isinstance(choice.plan or self._plans.get(unit.name), DensePlan) and not choice.pick:
            state = self._brought(state, unit, members, choice)
        if isinstance(choice.plan or self._plans.get(unit.name), DensePlan) and not choice.pick:
            state = self._brought(state, unit, members, choice)
        names = tuple(dict.fromkeys(name for op in members for name in (*op.inputs, *op.outputs)))
        found = self._sources(state, names)
        key = self._key(state, unit, members, choice, found)
        if key not in self._outcomes:
            self._outcomes[key] = self._try(state, found, partial(self._lower, unit), choice, unit.name)
        outcome = self._outcomes[key]
        after = _applied(state, found, outcome)
        if outcome.cycles:
            after.fresh = frozenset(found[index] for index, _ in outcome.places)
        after.done |= frozenset(choice.together)
        if choice is not unit.choices[0]:
            after.choices = (unit.name, choice, state.choices)
        return after

    def _brought(self, state: State, unit: Unit, members: tuple[Op, ...], choice: Choice) -> State:
        """Return the state with the operands of a product, as far as they are anywhere, where its plan wants them.

        So the product itself is tried once for each plan, however many places its operands come from.
        """
        for op, name, shape, home in self._wanted_homes(unit, members, choice):
            root = state.root(name)
            if root not in state.pending and state.places.get(root, (shape, home)) == (shape, home):
                continue
            found = self._sources(state, (name,))
            places = tuple((self._place_key(state, each), each in state.fresh) for each in found)
            tensor = self._graph.tensors[name]
            key = ("bring", tensor.shape, tensor.dtype, places, shape, home)
            if key not in self._outcomes:
                wanted = self._homes[home]
                self._outcomes[key] = self._try(state, found, partial(_bring, op, name, shape, wanted))
            state = _applied(state, found, self._outcomes[key])
        return state

    def _wanted_homes(
        self, unit: Unit, members: tuple[Op, ...], choice: Choice
    ) -> tuple[tuple[str, str, Shape, int], ...]:
        """Return the places in which products want their operands: op, tensor, view and number of the home."""
        plan = choice.plan or self._plans[unit.name]
        assert isinstance(plan, DensePlan)
        key = (self._signature(members, alone=False), plan.problem, plan.variant, plan.split)
        if key not in self._wanted:
            operands = product_operands(Builder(self._graph, self._chip), members, plan)[2]
            self._wanted[key] = tuple(
                (each.members[0], each.which, each.side.shape, self._number(each.home)) for each in operands
            )
        return tuple(
            (members[member].name, members[member].inputs[which], shape, home)
            for member, which, shape, home in self._wanted[key]
        )

    def noted(self, state: State, op: Op) -> State:
        """Return the state after an op that takes no time: a view, or a movement that waits."""
        builder = Builder(self._graph, self._chip, roots=dict(state.roots), pending=dict(state.pending))
        lower_op(builder, op, self._plans, self._groups)
        return replace(state, roots=builder.roots, pending=builder.pending)

    def settled(self, state: State, outputs: tuple[str, ...]) -> State:
        """Return the state after all outputs have been put somewhere."""
        for name in outputs:
            found = self._sources(state, (name,))
            key = ("settle", *(self._place_key(state, each) for each in found))
            if key not in self._outcomes:
                self._outcomes[key] = self._try(state, found, partial(_settle, name))
            state = _applied(state, found, self._outcomes[key])
        return state

    def _lower(self, unit: Unit, builder: Builder) -> None:
        lower_op(builder, unit.ops[-1], self._plans, self._groups)

    def _sources(self, state: State, names: tuple[str, ...]) -> tuple[str, ...]:
        """Return the tensors that hold the values of others, and those that they wait to be made of."""
        found: dict[str, None] = {}
        for name in names:
            root = state.root(name)
            found[root] = None
            if root in state.pending:
                found |= dict.fromkeys(_origins(state.pending[root][1]))
        return tuple(found)

    def _key(self, state: State, unit: Unit, members: tuple[Op, ...], choice: Choice, found: tuple[str, ...]) -> Key:
        """Return all that the outcome depends on, with numbers instead of names."""
        number = {name: index for index, name in enumerate(found)}
        wiring = tuple(number[state.root(name)] for op in members for name in (*op.inputs, *op.outputs))
        plan = choice.plan
        chosen = (
            (plan.problem, plan.variant, plan.split) if plan else None,
            choice.pick,
            choice.mapping_of,
            choice.parts,
        )
        places = tuple(self._place_key(state, name)[: 1 if unit.alone else None] for name in found)
        fresh = () if unit.alone else tuple(name in state.fresh for name in found)
        return (self._signature(members, unit.alone), wiring, chosen, places, fresh)

    def _signature(self, members: tuple[Op, ...], alone: bool) -> Key:
        names = tuple(op.name for op in members)
        if names not in self._signatures:
            tensors = self._graph.tensors
            described = tuple(
                (
                    op.kind,
                    repr(sorted(op.attrs.items())),
                    tuple((tensors[name].shape, tensors[name].dtype) for name in (*op.inputs, *op.outputs)),
                )
                for op in members
            )
            self._signatures[names] = (described, names if alone else ())
        return self._signatures[names]

    def _place_key(self, state: State, name: str) -> Key:
        if name in state.places:
            return ("at", *state.places[name])
        if name in state.pending:
            return ("waits", _described(state.pending[name][1]))
        return ("new",)

    def _try(
        self,
        state: State,
        found: tuple[str, ...],
        lower: Callable[[Builder], None],
        choice: Choice | None = None,
        name: str = "",
    ) -> Outcome:
        layout = Layout({name: choice} if choice is not None else {})
        pending = {each: state.pending[each] for each in found if each in state.pending}
        builder = Builder(self._graph, self._chip, roots=dict(state.roots), pending=pending, layout=layout)
        for each in found:
            if each in state.places:
                shape, home = state.places[each]
                builder.place_tensor(each, shape, self._homes[home])
        before = dict(builder.place)
        lower(builder)
        program = Program("", self._chip.n_tiles, builder.variables, tuple(builder.steps), {}, {})
        times = time_program(program, self._chip).steps
        new = set(builder.place) - set(before)
        moved = {each: builder.variables[now] for each, now in builder.place.items() if now != before.get(each)}
        places = tuple(
            (index, (moved[each].shape, self._number(moved[each].home)))
            for index, each in enumerate(found)
            if each in moved
        )
        settled = tuple(index for index, each in enumerate(found) if each in pending and each not in builder.pending)
        cycles = sum(step.cycles * step.count for step in times)
        fresh = state.fresh | {each for each in new if self._graph.producer(each)}
        saved = self._saved(program, times, fresh)
        return Outcome(cycles, cycles - saved, places, settled)

    def _saved(self, program: Program, times: tuple[SuperstepTime, ...], fresh: frozenset[str]) -> int:
        """Return the cycles of barriers before exchanges of what has been there for long: they can join another."""
        saved = 0
        steps = [step for step, _ in program.supersteps()]
        for step, time in zip(steps, times, strict=True):
            if step.compute or not step.exchange or isinstance(step, Repeat):
                continue
            names = {name for each in step.exchange for name in (each.origins or (each.variable,))}
            if not any(program.variables[name].storage in fresh for name in names):
                saved += time.terms.get("sync", 0) + time.terms.get("exchange phase", 0)
        return saved

    def _number(self, home: Home | None) -> int:
        """Return the number of a home; equal homes have the same."""
        assert home is not None
        if id(home) in self._known:
            return self._known[id(home)]
        regions = home.regions
        parts = (home.tile, regions.box, regions.begin, regions.end)
        digest = blake2b(repr((regions.step, regions.count)).encode(), digest_size=16)
        for part in parts:
            digest.update(part.tobytes())
        number = self._numbers.setdefault(digest.digest(), len(self._homes))
        if number == len(self._homes):
            self._homes.append(home)
            self._known[id(home)] = number
        return number


def _bring(op: str, tensor: str, shape: Shape, home: Home, builder: Builder) -> None:
    bring(builder, op, tensor, shape, home)


def _settle(tensor: str, builder: Builder) -> None:
    settle(builder, tensor)


def _applied(state: State, found: tuple[str, ...], outcome: Outcome) -> State:
    """Return the state after an outcome; `found` are the tensors that it numbers."""
    places, pending = dict(state.places), state.pending
    if outcome.settled:
        gone = {found[index] for index in outcome.settled}
        pending = {name: wait for name, wait in pending.items() if name not in gone}
    for index, place in outcome.places:
        places[found[index]] = place
    return replace(
        state,
        places=places,
        pending=pending,
        cycles=state.cycles + outcome.cycles,
        guess=state.guess + outcome.guess,
    )


def _origins(movement: Movement) -> tuple[str, ...]:
    """Return the tensors that a waiting movement takes elements from."""
    found: list[str] = []
    for operand, _ in movement.operands:
        if isinstance(operand, Movement):
            found += _origins(operand)
        else:
            found.append(str(operand))
    return tuple(found)


def _described(movement: Movement) -> Key:
    """Return a movement without the names of its tensors."""
    operands = tuple(
        (_described(operand) if isinstance(operand, Movement) else (), shape) for operand, shape in movement.operands
    )
    return (movement.kind, repr(sorted(movement.attrs.items())), operands)
