"""The result of a simulation, as an object and as a document."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from importlib.metadata import version
from typing import Any

from ipusim.chip.fields import constant_fields
from ipusim.cost.area import chip_area_mm2
from ipusim.cost.energy import Energy
from ipusim.engine.energy import EnergyTrace, measure_energy
from ipusim.engine.trace import Trace
from ipusim.frontends.patterns import non_zeros
from ipusim.ir.tensor import Op
from ipusim.ops.registry import find_op
from ipusim.pipeline.compiling import Compiled
from ipusim.pipeline.limits import NOT_MODELLED, assumed_constants
from ipusim.pipeline.uncertainty import uncertainty
from ipusim.plan.graph import Plan
from ipusim.plan.tile_plan import TilePlan
from ipusim.report.display import Displayed
from ipusim.report.layers import layer_rows

SCHEMA = "ipusim-result-1"

PHASES = ("compute", "exchange", "sync")


@dataclass(frozen=True)
class Run(Displayed):
    """One workload, simulated on one chip.

    Attributes
    ----------
    compiled : Compiled
        Chip, graph, plans and program behind the figures.
    options : dict
        How it was run.
    trace : Trace or None
        Cycles of every superstep; None if no program exists.
    check : dict
        ``executed, passed, max_abs_error, max_rel_error, tolerance, checked_fraction``.
    infeasible : dict or None
        Why it does not fit the chip, and what would help.
    insights : tuple of dict
        ``change, cycles, relative``: what one relaxed resource would change.
    outputs : dict of str to float32 array
        Values of the outputs in the shapes of the workload, where executed.
    """

    compiled: Compiled
    options: dict[str, Any]
    trace: Trace | None
    check: dict[str, Any]
    infeasible: dict[str, Any] | None
    insights: tuple[dict[str, Any], ...]
    outputs: dict[str, Any]

    @property
    def workload(self) -> str:
        """Name of the workload."""
        return self.compiled.workload.name

    @property
    def chip(self) -> str:
        """Name of the chip."""
        return self.compiled.chip.name

    @property
    def seed(self) -> int:
        """Seed of all random values."""
        return self.compiled.workload.seed

    @property
    def cycles(self) -> int | None:
        """Cycles of the whole program; None if it does not fit."""
        return None if self.trace is None else self.trace.cycles

    @property
    def seconds(self) -> float | None:
        """Time of the whole program in seconds."""
        return None if self.cycles is None else self.cycles / self.compiled.chip.clock_hz

    @cached_property
    def _plans(self) -> Mapping[str, Plan]:
        return self.compiled.plans

    @cached_property
    def _flops_by_op(self) -> Mapping[str, int]:
        return {op.name: self._op_flops(op) for op in self.compiled.graph.ops}

    @cached_property
    def flops(self) -> int:
        """Useful floating-point operations: 2 per multiply-add, non-zeros only, each result once."""
        again = self.compiled.repeated
        return sum(flops for name, flops in self._flops_by_op.items() if name not in again)

    @property
    def tflops(self) -> float | None:
        """Useful TFLOP/s."""
        return None if not self.seconds else self.flops / self.seconds / 1e12

    @property
    def peak_tflops(self) -> float:
        """Peak of the AMP in the number formats that do most of the work, in TFLOP/s."""
        chip = self.compiled.chip
        problems = {name: plan.problem for name, plan in self.compiled.plans.items() if not isinstance(plan, TilePlan)}
        if not problems:
            return chip.peak_flops(self.compiled.workload.dtype) / 1e12
        problem = problems[max(problems, key=self._flops_by_op.__getitem__)]
        return chip.peak_flops(problem.inputs_format, problem.partials_format) / 1e12

    @property
    def fraction_of_peak(self) -> float | None:
        """Useful rate over the peak."""
        return None if self.tflops is None or not self.peak_tflops else self.tflops / self.peak_tflops

    @cached_property
    def energy_trace(self) -> EnergyTrace | None:
        """Energy of every superstep; None if no program exists."""
        if self.trace is None or self.compiled.program is None:
            return None
        return measure_energy(self.compiled.program, self.trace, self.compiled.chip)

    @cached_property
    def _energy(self) -> Energy | None:
        """Energy of the whole program; None if it does not fit, or the chip lacks a constant for it."""
        trace = self.energy_trace
        return None if trace is None or trace.missing else trace.total

    @property
    def energy_j(self) -> float | None:
        """Energy of the whole program in joules; None if it does not fit, or the chip lacks a constant for it."""
        return None if self._energy is None else self._energy.total

    @property
    def energy_by_component(self) -> dict[str, float] | None:
        """Energy in joules by component; it adds up to `energy_j`."""
        return None if self._energy is None else self._energy.to_dict()

    @property
    def energy_note(self) -> str | None:
        """Why there is no energy, where the chip is to blame."""
        missing = () if self.energy_trace is None else self.energy_trace.missing
        return f"the chip has no {', '.join(missing)}" if missing else None

    @property
    def power_w(self) -> float | None:
        """Power on average, in watts."""
        return None if self.energy_j is None or not self.seconds else self.energy_j / self.seconds

    @property
    def tflops_per_w(self) -> float | None:
        """Useful operations over energy, in TFLOP/s per watt."""
        return None if not self.energy_j else self.flops / self.energy_j / 1e12

    @property
    def area_mm2(self) -> float | None:
        """Area of the chip's die in mm2, from its geometry; None where the chip lacks a constant for it."""
        return chip_area_mm2(self.compiled.chip)

    @property
    def cycles_by_phase(self) -> dict[str, int | None]:
        """Cycles spent in compute, exchange and sync."""
        return dict.fromkeys(PHASES) if self.trace is None else dict(self.trace.by_phase())

    @property
    def supersteps(self) -> int | None:
        """Number of supersteps that run."""
        return None if self.trace is None else self.trace.n_supersteps

    @property
    def memory(self) -> dict[str, Any]:
        """Memory of the fullest tile against its SRAM."""
        memory = self.compiled.memory
        chip = self.compiled.chip
        if memory is None:
            total = sum(plan.resident_bytes for plan in self.compiled.unplanned)
            per_tile = -(-total // chip.n_tiles)
            return {
                "tile_sram_bytes": chip.tile_sram_bytes,
                "max_tile_bytes": per_tile,
                "total_bytes": total,
                "fits": False,
                "worst_tile": 0,
                "by_category": {"tensors": per_tile},
            }
        return {
            "tile_sram_bytes": memory.tile_sram_bytes,
            "max_tile_bytes": memory.max_tile_bytes,
            "total_bytes": memory.total_bytes,
            "fits": memory.fits,
            "worst_tile": memory.worst_tile,
            "by_category": memory.by_category(memory.worst_tile),
        }

    @property
    def ops(self) -> list[dict[str, Any]]:
        """Figures of each operator, in program order."""
        measured = self.energy_trace
        energies = None if measured is None or measured.missing else measured.by_op()
        return [self._op_entry(op, energies) for op in self.compiled.graph.ops]

    @property
    def tiles_used(self) -> int:
        """Tiles that compute anything."""
        return 0 if self.trace is None else int((self.trace.busy() > 0).sum())

    def to_dict(self, profile: bool = False) -> dict[str, Any]:
        """Return the result document: plain values, ready for JSON.

        With `profile`, it has what reports show of tiles and supersteps, too: some hundred kilobytes.
        """
        ops = self.ops
        further = {"profile": self.profile} if profile and self.trace is not None else {}
        return {
            "schema": SCHEMA,
            "workload": self.workload,
            "chip": self.chip,
            "options": self.options,
            "seed": self.seed,
            "versions": versions(),
            "cycles": self.cycles,
            "seconds": self.seconds,
            "flops": self.flops,
            "tflops": self.tflops,
            "peak_tflops": self.peak_tflops,
            "fraction_of_peak": self.fraction_of_peak,
            "energy_j": self.energy_j,
            "cycles_by_phase": self.cycles_by_phase,
            "supersteps": self.supersteps,
            "memory": self.memory,
            "ops": ops,
            "check": self.check,
            "infeasible": self.infeasible,
            "levers_taken": [lever.to_dict() for lever in self.compiled.levers_taken],
            "layers": layer_rows(ops),
            "insights": list(self.insights),
            "tiles_used": self.tiles_used,
            "idle_fraction": None if self.trace is None else self.trace.idle_fraction(),
            "energy": self.energy_by_component,
            "energy_note": self.energy_note,
            "power_w": self.power_w,
            "tflops_per_w": self.tflops_per_w,
            "area_mm2": self.area_mm2,
            "assumed_constants": self.assumed_constants,
            "uncertainty": self.uncertainty,
            "not_modelled": list(NOT_MODELLED),
            "constants": self.constants,
            **further,
        }

    @property
    def constants(self) -> dict[str, Any]:
        """Constants of the chip by name, as plain values."""
        plain = self.compiled.chip.model_dump(mode="json")
        return {name: plain[name] for name in constant_fields()}

    @cached_property
    def profile(self) -> dict[str, Any] | None:
        """Time and memory by superstep and tile, bounded in size; None if the workload does not fit."""
        from ipusim.report.profile import build_profile

        compiled = self.compiled
        if self.trace is None or compiled.program is None or compiled.memory is None:
            return None
        peaks = {op.name: self._op_peak(op.name) for op in compiled.graph.ops}
        return build_profile(compiled.program, self.trace, compiled.memory, compiled.chip, peaks)

    @property
    def outline(self) -> dict[str, Any] | None:
        """The few parts of the profile that a terminal shows; None if the workload does not fit."""
        from ipusim.report.profile import build_outline

        if self.trace is None or self.compiled.memory is None:
            return None
        return build_outline(self.trace, self.compiled.memory, self.compiled.chip)

    def _op_peak(self, name: str) -> float:
        plan = self._plans.get(name)
        if plan is None or isinstance(plan, TilePlan):
            return 0.0
        return self.compiled.chip.peak_flops(plan.problem.inputs_format, plan.problem.partials_format)

    @property
    def uncertainty(self) -> dict[str, Any] | None:
        """How far off the cycles may be (see :func:`ipusim.pipeline.uncertainty.uncertainty`); None without cycles."""
        return None if self.trace is None else uncertainty(self.compiled, self.trace.op_cycles)

    @property
    def assumed_constants(self) -> int:
        """Number of the chip's constants whose value is assumed."""
        return assumed_constants(self.compiled.chip)

    def to_chrome_trace(self, tiles: Sequence[int] = ()) -> str | None:
        """Return the run as a Chrome trace (JSON text) with tracks of `tiles`, or None if it does not fit."""
        from ipusim.report.chrome_trace import render_trace
        from ipusim.report.timeline import program_loops

        compiled = self.compiled
        if self.trace is None or compiled.program is None:
            return None
        title = f"{self.workload} on {self.chip}"
        loops = program_loops(compiled.program)
        return render_trace(self.trace, loops, compiled.chip.clock_hz, compiled.memory, tiles, title)

    def to_html(self) -> str:
        """Return the report as one HTML page that needs nothing else."""
        from ipusim.report.html.run import render_run_page

        return render_run_page(self.to_dict(profile=True))

    def display_texts(self) -> tuple[str, str]:
        """Return the report as plain text and as a piece of HTML without scripts."""
        from ipusim.report.html.run import render_run_part
        from ipusim.report.terminal import render_run

        document = self.to_dict()
        return render_run(document), render_run_part(document)

    def _op_flops(self, op: Op) -> int:
        graph = self.compiled.graph
        inputs = tuple(graph.tensors[name] for name in op.inputs)
        outputs = tuple(graph.tensors[name] for name in op.outputs)
        stored = tuple(non_zeros(tensor, graph.seed) for tensor in inputs)
        return find_op(op.kind).flops(inputs, outputs, op.attrs, stored)

    @cached_property
    def _fused_into(self) -> dict[str, str]:
        """The op in whose supersteps another one is computed that has none of its own, by the name of the other."""
        program = self.compiled.program
        assert program is not None
        own = {step.op for step, _ in program.supersteps()}
        steps = (step for step, _ in program.supersteps())
        return {name: step.op for step in steps for name in (*step.fused, *step.guests) if name not in own}

    def _op_entry(self, op: Op, energies: Mapping[str, Energy] | None) -> dict[str, Any]:
        plan = self._plans.get(op.name)
        entry: dict[str, Any] = {
            "name": op.name,
            "op": op.kind,
            "cycles": None,
            "flops": self._flops_by_op[op.name],
            "plan": {} if plan is None else plan.to_dict(),
            "bytes_exchanged": None,
            "energy_j": None if energies is None else energies.get(op.name, Energy()).total,
        }
        if self.trace is not None:
            entry |= {
                "cycles": self.trace.op_cycles(op.name),
                "bytes_exchanged": self.trace.bytes_exchanged(op.name),
                "cycles_by_phase": self.trace.by_phase(op.name),
                "terms": self.trace.terms(op.name),
                "imbalance": self.trace.idle_fraction(op.name),
                "fused_into": self._fused_into.get(op.name),
            }
        return entry


def versions() -> dict[str, str]:
    """Return the versions that the result depends on."""
    from ipusim import __version__

    return {"ipusim": __version__, "numpy": version("numpy"), "numba": version("numba")}
