"""What a program is assembled from: variables, supersteps, and where each tensor of the graph lives at the moment."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from ipusim.chip.model import Chip
from ipusim.formats import number_format
from ipusim.ir.graph import Graph
from ipusim.ir.movement import Movement
from ipusim.ir.program import Home, Program, Repeat, Superstep, Variable
from ipusim.ir.sharing import Sharing
from ipusim.plan.layout import GREEDY, Layout


@dataclass(slots=True)
class Builder:
    """A program under construction.

    Attributes
    ----------
    graph : Graph
    chip : Chip
    variables : dict of str to Variable
    steps : list of Superstep or Repeat
    place : dict of str to str
        Graph tensor to the variable that holds it now; a tensor without an entry has not been placed.
    inputs : dict of str to str
        Graph input to the variable that holds it when the program starts.
    roots : dict of str to str
        Tensors that are views of another one, which holds their values.
    pending : dict of str to (str, Movement)
        Tensors that wait for being moved to where somebody wants them: the op, and what they consist of.
    packed : dict of int to tuple of two str
        Variables of values and metadata that ops share, by the identity of the placement that they have in common.
    streams : list of str
        Variables that the op being lowered has streamed in from DRAM.
    layout : Layout
        What has been decided across ops.
    done : set of str
        Ops that another one has lowered together with itself.
    sharing : Sharing
        Arrays of the program so far, of which equal ones are kept once.
    """

    graph: Graph
    chip: Chip
    variables: dict[str, Variable] = field(default_factory=dict)
    steps: list[Superstep | Repeat] = field(default_factory=list)
    place: dict[str, str] = field(default_factory=dict)
    inputs: dict[str, str] = field(default_factory=dict)
    packed: dict[int, tuple[str, str]] = field(default_factory=dict)
    roots: dict[str, str] = field(default_factory=dict)
    pending: dict[str, tuple[str, Movement]] = field(default_factory=dict)
    streams: list[str] = field(default_factory=list)
    layout: Layout = GREEDY
    done: set[str] = field(default_factory=set)
    sharing: Sharing = field(default_factory=Sharing)
    _views: dict[str, list[str]] = field(default_factory=dict)
    _numbers: dict[tuple[str, bool], int] = field(default_factory=dict)
    _in_dram: tuple[str, ...] = field(init=False)

    def __post_init__(self) -> None:
        """Note which tensors lie in DRAM."""
        self._in_dram = self.graph.dram_tensors

    def add_variable(
        self, name: str, shape: tuple[int, int, int], dtype: str, kind: str, home: Home | None, storage: str = ""
    ) -> Variable:
        """Declare a variable; its name is made unique by a number where it is taken.

        Parameters
        ----------
        name, shape, dtype, kind, home
            As in :class:`~ipusim.ir.program.Variable`.
        storage : str
            Array that holds the values; by default the variable has its own, which no tensor of the graph shares.
        """
        home = None if home is None else self.sharing.home(home)
        unique = self._unique(name, not storage)
        element_bytes = number_format(dtype).bytes
        variable = Variable(unique, shape, dtype, kind, storage or unique, element_bytes, home)
        self.variables[unique] = variable
        return variable

    def _unique(self, name: str, no_tensor: bool) -> str:
        """Return `name`, with the least number that makes it unique where it is taken: names are never given back."""
        number = self._numbers.get((name, no_tensor), 1)
        unique = name if number == 1 else f"{name}#{number}"
        while unique in self.variables or (no_tensor and unique in self.graph.tensors):
            number += 1
            unique = f"{name}#{number}"
        self._numbers[name, no_tensor] = number
        return unique

    def place_tensor(self, tensor: str, shape: tuple[int, int, int], home: Home) -> Variable:
        """Declare a graph tensor's variable with its home and make it the tensor's current place."""
        dtype = self.graph.tensors[tensor].dtype
        root = self.root(tensor)
        kind = "streamed" if self.graph.tensors[root].memory == "dram" else "tensor"
        variable = self.add_variable(tensor, shape, dtype, kind, home, storage=root)
        self.place[root] = variable.name
        return variable

    def place_view(self, tensor: str, shape: tuple[int, int, int], home: Home, current: Variable) -> Variable:
        """Declare another view of a variable, in the same memory, and make it the tensor's current place."""
        view = replace(self.place_tensor(tensor, shape, home), over=current.name)
        self.variables[view.name] = view
        return view

    def other_view(self, tensor: str, shape: tuple[int, int, int], home: Home) -> Variable:
        """Declare another view of a tensor in its present place, which stays as it is."""
        current = self.placed(tensor)
        assert current is not None
        variable = self.add_variable(tensor, shape, current.dtype, current.kind, home, storage=current.storage)
        view = replace(variable, over=current.name)
        self.variables[view.name] = view
        return view

    def create_input(self, tensor: str, shape: tuple[int, int, int], home: Home) -> Variable:
        """Declare a graph input that has no place yet where somebody wants it, and stream it there if it is in DRAM."""
        variable = self.place_tensor(tensor, shape, home)
        self.inputs[self.root(tensor)] = variable.name
        if variable.kind == "streamed":
            self.streams.append(variable.name)
        return variable

    def add_stream(self, op: str, before: int) -> None:
        """Insert the superstep that streams in what `op` has asked for, as step number `before`."""
        if self.streams:
            early = bool(self.chip.dram_stacked)
            step = Superstep(f"{op}/stream", op, streams=tuple(self.streams), early=early)
            self.steps.insert(before, step)
            self.streams.clear()

    def forget_streams(self) -> None:
        """Let go of what has been streamed in: the next op that reads a tensor in DRAM streams it again."""
        for tensor in self._in_dram:
            self.place.pop(tensor, None)

    def share(self, before: int) -> None:
        """Keep equal arrays once, of all supersteps from number `before` on."""
        self.steps[before:] = [self.sharing.step(step) for step in self.steps[before:]]
        self.sharing.forget_recent()

    def root(self, tensor: str) -> str:
        """Return the tensor that holds the values of `tensor`: itself, unless it is a view."""
        return self.roots.get(tensor, tensor)

    def add_view(self, tensor: str, of: str) -> None:
        """Note that a tensor is a view of another one."""
        root = self.roots[tensor] = self.root(of)
        self._views.setdefault(root, []).append(tensor)

    def same_values(self, root: str) -> tuple[str, ...]:
        """Return the tensors with the values of `root`, which is not a view: itself, and its views so far."""
        return (root, *self._views.get(root, ()))

    def placed(self, tensor: str) -> Variable | None:
        """Return the variable that holds `tensor` now, or None if no op has placed it yet."""
        name = self.place.get(self.root(tensor))
        return None if name is None else self.variables[name]

    def first_place(self, tensor: str) -> Variable | None:
        """Return where the host put a graph input, or the variable that holds another tensor; None before either."""
        name = self.inputs.get(self.root(tensor))
        return self.placed(tensor) if name is None else self.variables[name]

    def program(self) -> Program:
        """Return the finished program."""
        outputs = {tensor: self.place[self.root(tensor)] for tensor in self.graph.outputs}
        return Program(
            self.graph.name,
            self.chip.n_tiles,
            dict(self.variables),
            tuple(self.steps),
            dict(self.inputs),
            outputs,
            dict(self.roots),
            {self.inputs[name]: outputs[new] for name, new in self.graph.updates.items() if name in self.inputs},
        )
