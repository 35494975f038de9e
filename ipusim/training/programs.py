"""The programs of a training, compiled for the connections of the moment, and what each costs on the chip."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from math import isfinite

from ipusim.chip.model import Chip
from ipusim.engine.energy import measure_energy
from ipusim.engine.execution import Schedule, execute_program, schedule_program
from ipusim.engine.timing import time_program
from ipusim.engine.values import unpacked
from ipusim.errors import IpusimError
from ipusim.frontends.expand import expand_graph
from ipusim.frontends.model import Workload
from ipusim.frontends.patterns import non_zeros
from ipusim.frontends.precision import insert_casts
from ipusim.ir.graph import Graph
from ipusim.ops.registry import find_op
from ipusim.pipeline.compiling import Compiled, compile_graph
from ipusim.plan.dynamic_sparse import DynamicSparsePlan
from ipusim.training.data import F32Array
from ipusim.training.optimisers.registry import find_optimiser
from ipusim.training.setup import Masks, Setup, needed
from ipusim.training.step import build_dense_gradients, build_step


class DoesNotFitError(IpusimError):
    """A program of the training has no room on the chip."""

    exit_code = 1


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


@dataclass(frozen=True, slots=True)
class Part:
    """A compiled program of the training.

    Attributes
    ----------
    compiled : Compiled
    cost : Cost
    update_s : float
        Seconds of placing the connections of all dynamic weights on the host and of sending them to the chip.
    schedule : Schedule
        What every execution has to know of the program.
    """

    compiled: Compiled
    cost: Cost
    update_s: float
    schedule: Schedule

    def run(self, values: Mapping[str, F32Array], threads: int) -> dict[str, F32Array]:
        """Execute the program; return its outputs in the shapes of the graph's tensors."""
        program, tensors = self.compiled.program, self.compiled.graph.tensors
        assert program is not None
        found = execute_program(program, values, threads, schedule=self.schedule)
        results = {}
        for name, array in found.items():
            variable, tensor = program.variables[program.outputs[name]], tensors[name]
            whole = unpacked(variable, array, tensor.n_elements) if variable.tensor else array
            results[name] = whole.reshape(tensor.shape)
        return results


@dataclass(slots=True)
class Programs:
    """Compiles the programs of a training when they are first needed, and anew when the connections have changed.

    Attributes
    ----------
    workload : Workload
    chip : Chip
    setup : Setup
    graph : Graph
        Forward, with the sparse weights of the moment.
    """

    workload: Workload
    chip: Chip
    setup: Setup
    graph: Graph
    rates: tuple[str, ...] = ()
    seed: str = ""
    states: tuple[str, ...] = ()
    updates: Mapping[str, str] = field(default_factory=dict)
    gradients: Mapping[str, str] = field(default_factory=dict)
    _parts: dict[str, Part] = field(default_factory=dict)

    def change(self, masks: Masks) -> None:
        """Go on with other connections."""
        self.graph = self.setup.with_masks(masks)
        self._parts.clear()

    def step(self) -> Part:
        """Return the step: forward, backward and update."""
        if "step" not in self._parts:
            entry = self.setup.entry
            built = build_step(
                replace(self.graph, outputs=(entry.loss,)),
                entry.loss,
                self.setup.weights,
                find_optimiser(entry.optimiser.kind),
                entry.optimiser.options(),
                float(entry.loss_scale),
            )
            self.seed, self.states, self.updates = built.seed, built.states, built.graph.updates
            self.rates = built.rates
            self._parts["step"] = self._compiled("a training step", needed_inputs(built.graph))
        return self._parts["step"]

    def dense_gradients(self) -> Part:
        """Return the pass that finds the gradients of sparse weights at all their elements; nothing is updated."""
        if "gradients" not in self._parts:
            graph = needed(self.graph, (self.setup.entry.loss,))
            built, self.gradients, self.seed = build_dense_gradients(
                graph, self.setup.entry.loss, tuple(self.setup.densities)
            )
            self._parts["gradients"] = self._compiled("the pass of the dense gradients", built)
        return self._parts["gradients"]

    def forward(self) -> Part:
        """Return the forward pass up to the predictions."""
        if "forward" not in self._parts:
            graph = needed(self.graph, (self.setup.entry.predictions,))
            self._parts["forward"] = self._compiled("the forward pass", insert_casts(expand_graph(graph)))
        return self._parts["forward"]

    def _compiled(self, what: str, graph: Graph) -> Part:
        compiled = compile_graph(self.workload, self.chip, graph)
        if not compiled.fits or compiled.program is None or compiled.memory is None:
            reasons = "; ".join(f"{each.op} has no plan ({each.reason})" for each in compiled.unplanned)
            need = f"{compiled.memory.max_tile_bytes:,} bytes on a tile" if compiled.memory else reasons
            room = f"{self.chip.name} has {self.chip.tile_sram_bytes:,} bytes a tile"
            raise DoesNotFitError(f"ipusim: {self.workload.name}: {what} does not fit: {need}; {room}")
        return Part(compiled, _cost(compiled), _update_seconds(compiled), schedule_program(compiled.program))


def needed_inputs(graph: Graph) -> Graph:
    """Return a graph without tensors that no op reads or writes."""
    used = {name for op in graph.ops for name in (*op.inputs, *op.outputs)}
    return replace(graph, tensors={name: tensor for name, tensor in graph.tensors.items() if name in used})


def _cost(compiled: Compiled) -> Cost:
    assert compiled.program is not None
    assert compiled.memory is not None
    chip, graph = compiled.chip, compiled.graph
    trace = time_program(compiled.program, chip)
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
