"""The programs of a training, compiled for the connections of the moment, and what each costs on the chip."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field, replace
from math import isfinite
from typing import Any

from ipusim.chip.model import Chip
from ipusim.engine.energy import measure_energy
from ipusim.engine.repeating import Repeated
from ipusim.engine.timing import time_program
from ipusim.engine.trace import Trace
from ipusim.errors import IpusimError
from ipusim.frontends.expand import expand_graph
from ipusim.frontends.model import Workload
from ipusim.frontends.patterns import non_zeros
from ipusim.frontends.precision import insert_casts
from ipusim.ir.graph import Graph
from ipusim.ops.registry import find_op
from ipusim.pipeline.compiling import Compiled, compile_to_fit
from ipusim.plan.dynamic_sparse import DynamicSparsePlan
from ipusim.training.data import F32Array
from ipusim.training.optimisers.registry import find_optimiser
from ipusim.training.setup import Masks, Setup, needed
from ipusim.training.step import StepGraph, build_accumulation, build_dense_gradients, build_step

WHAT = {
    "step": "a training step",
    "accumulate": "a pass that accumulates gradients",
    "dense_gradients": "the pass of the dense gradients",
    "forward": "the forward pass",
}
"""The programs of a training, in words."""


class DoesNotFitError(IpusimError):
    """A program of the training has no room on the chip.

    Attributes
    ----------
    program : str
        One of :data:`WHAT`.
    compiled : Compiled
        The program that comes nearest.
    """

    exit_code = 1

    def __init__(self, message: str, program: str, compiled: Compiled) -> None:
        super().__init__(message)
        self.program, self.compiled = program, compiled


@dataclass(frozen=True, slots=True)
class Cost:
    """What one run of a program takes on the chip.

    Attributes
    ----------
    cycles : int
    cycles_by_phase : mapping of str to int
        Compute, exchange and sync.
    seconds : float
    energy_j : float or None
        None where the chip lacks constants.
    flops : int
        Useful ones: of non-zeros only.
    max_tile_bytes : int
    """

    cycles: int
    cycles_by_phase: Mapping[str, int]
    seconds: float
    energy_j: float | None
    flops: int
    max_tile_bytes: int


@dataclass(slots=True)
class Part:
    """A compiled program of the training.

    Attributes
    ----------
    compiled : Compiled
    cost : Cost
    trace : Trace
        Of its supersteps.
    update_s : float
        Seconds of placing the connections of all dynamic weights on the host and of sending them to the chip.
    """

    compiled: Compiled
    cost: Cost
    trace: Trace
    update_s: float
    _repeated: Repeated | None = None

    @property
    def updates(self) -> Mapping[str, str]:
        """Inputs, and the outputs that take their place in the next run."""
        return self.compiled.graph.updates

    def run(self, values: Mapping[str, F32Array], threads: int) -> dict[str, F32Array]:
        """Execute the program; return its outputs in the shapes of the graph's tensors."""
        if self._repeated is None:
            program, tensors = self.compiled.program, self.compiled.graph.tensors
            assert program is not None
            self._repeated = Repeated(program, {name: tensors[name].shape for name in program.outputs})
        return self._repeated.run(values, threads)

    def to_dict(self) -> dict[str, Any]:
        """Return what it costs, and the levers that the compiler took so that it fits, as plain values."""
        return {**asdict(self.cost), "levers_taken": [lever.to_dict() for lever in self.compiled.levers_taken]}


@dataclass(slots=True)
class Programs:
    """Compiles the programs of a training when they are first needed, and anew when the connections have changed.

    Attributes
    ----------
    workload : Workload
    chip : Chip
    setup : Setup
    masks : Masks
        Connections of the moment.
    """

    workload: Workload
    chip: Chip
    setup: Setup
    masks: Masks
    gradients: Mapping[str, str] = field(default_factory=dict)
    _built: StepGraph | None = None
    _parts: dict[str, Part] = field(default_factory=dict)

    def change(self, masks: Masks) -> None:
        """Go on with other connections."""
        self.masks = masks
        self._parts.clear()

    @property
    def built(self) -> StepGraph:
        """The graph of the step that was compiled last: names of seed, rates and states."""
        assert self._built is not None
        return self._built

    def all(self) -> dict[str, Part]:
        """Return all programs of the method, by name, in the order of :data:`WHAT`."""
        accumulates = self.setup.entry.accumulate > 1
        regrows = self.setup.method == "rigl" and self.setup.schedule is not None
        unused = {"accumulate": not accumulates, "dense_gradients": not regrows}
        return {name: self.part(name) for name in WHAT if not unused.get(name)}

    def part(self, name: str) -> Part:
        """Return a program by its name in :data:`WHAT`."""
        if name not in self._parts:
            make: Mapping[str, Callable[[], Part]] = {
                "step": self._step,
                "accumulate": self._accumulate,
                "dense_gradients": self._dense_gradients,
                "forward": self._forward,
            }
            self._parts[name] = make[name]()
        return self._parts[name]

    def step(self) -> Part:
        """Return the step: forward, backward and update."""
        return self.part("step")

    def accumulate(self) -> Part:
        """Return the pass forward and backward that only adds up gradients."""
        return self.part("accumulate")

    def dense_gradients(self) -> Part:
        """Return the pass that finds the gradients of sparse weights at all their elements; nothing is updated."""
        return self.part("dense_gradients")

    def forward(self) -> Part:
        """Return the forward pass up to the predictions."""
        return self.part("forward")

    def _step(self) -> Part:
        def build(graph: Graph, masked: tuple[str, ...]) -> Graph:
            entry = self.setup.entry
            optimiser = find_optimiser(entry.optimiser.kind)
            trained, options = self._trained(graph), entry.optimiser.options()
            how = replace(self.setup.how, masked=masked)
            self._built = build_step(trained, entry.loss, self.setup.weights, optimiser, options, how)
            return needed_inputs(self._built.graph)

        return self._cheapest("step", build)

    def _accumulate(self) -> Part:
        def build(graph: Graph, _masked: tuple[str, ...]) -> Graph:
            trained, loss = self._trained(graph), self.setup.entry.loss
            return needed_inputs(build_accumulation(trained, loss, self.setup.weights, self.setup.how).graph)

        return self._cheapest("accumulate", build)

    def _dense_gradients(self) -> Part:
        loss = self.setup.entry.loss
        graph = needed(self.setup.with_masks(self.masks), (loss,))
        built, self.gradients, _ = build_dense_gradients(graph, loss, tuple(self.setup.densities))
        return self._compiled("dense_gradients", built)

    def _forward(self) -> Part:
        def build(graph: Graph, _masked: tuple[str, ...]) -> Graph:
            return insert_casts(expand_graph(needed(graph, (self.setup.entry.predictions,))))

        return self._cheapest("forward", build)

    def _trained(self, graph: Graph) -> Graph:
        return replace(graph, outputs=(self.setup.entry.loss,))

    def _cheapest(self, name: str, build: Callable[[Graph, tuple[str, ...]], Graph]) -> Part:
        """Return a program for the connections of the moment.

        While weights are pruned there are two: a sparse one, and one of dense products that keeps zeros by a mask.
        The one with fewer cycles is taken; the useful operations are the same.
        """
        sparse = build(self.setup.with_masks(self.masks), ())
        pruned = tuple(each for each, mask in self.masks.items() if not mask.all())
        if self.setup.method != "prune" or not pruned:
            return self._compiled(name, sparse)
        found = []
        for graph in (sparse, build(self.setup.with_masks({}), pruned)):
            try:
                found.append(self._compiled(name, graph, sparse))
            except DoesNotFitError as error:
                failed = error
        if not found:
            raise failed
        return min(found, key=lambda part: part.cost.cycles)

    def _compiled(self, name: str, graph: Graph, useful: Graph | None = None) -> Part:
        compiled = compile_to_fit(self.workload, self.chip, graph)
        if not compiled.fits or compiled.program is None or compiled.memory is None:
            reasons = "; ".join(f"{each.op} has no plan ({each.reason})" for each in compiled.unplanned)
            need = f"{compiled.memory.max_tile_bytes:,} bytes on a tile" if compiled.memory else reasons
            room = f"{self.chip.name} has {self.chip.tile_sram_bytes:,} bytes a tile"
            message = f"ipusim: {self.workload.name}: {WHAT[name]} does not fit: {need}; {room}"
            raise DoesNotFitError(message, name, compiled)
        trace = time_program(compiled.program, compiled.chip)
        return Part(compiled, _cost(compiled, trace, useful or graph), trace, _update_seconds(compiled))


def needed_inputs(graph: Graph) -> Graph:
    """Return a graph without tensors that no op reads or writes."""
    used = {name for op in graph.ops for name in (*op.inputs, *op.outputs)}
    return replace(graph, tensors={name: tensor for name, tensor in graph.tensors.items() if name in used})


def _cost(compiled: Compiled, trace: Trace, graph: Graph) -> Cost:
    """Return what a program costs whose useful operations are those of `graph`."""
    assert compiled.program is not None
    assert compiled.memory is not None
    chip = compiled.chip
    energy = measure_energy(compiled.program, trace, chip)
    flops = 0
    for op in graph.ops:
        inputs = tuple(graph.tensors[name] for name in op.inputs)
        outputs = tuple(graph.tensors[name] for name in op.outputs)
        stored = tuple(non_zeros(tensor, graph.seed) for tensor in inputs)
        flops += find_op(op.kind).flops(inputs, outputs, op.attrs, stored)
    return Cost(
        trace.cycles,
        trace.by_phase(),
        trace.cycles / float(chip.clock_hz),
        None if energy.missing else energy.total.total,
        flops,
        compiled.memory.max_tile_bytes,
    )


def _update_seconds(compiled: Compiled) -> float:
    """Return the time of new connections: once for each sparse tensor, whatever number of products reads it."""
    longest: dict[str, float] = {}
    for plan in compiled.plans.values():
        if isinstance(plan, DynamicSparsePlan):
            upload = plan.update.upload_s if isfinite(plan.update.upload_s) else 0.0
            name = plan.problem.sparse
            longest[name] = max(longest.get(name, 0.0), plan.update.host_s + upload)
    return sum(longest.values())
