"""The figures of one workload on one chip, with as much work shared between points as they allow."""

from __future__ import annotations

import traceback
from dataclasses import replace
from pathlib import Path
from typing import Any

from ipusim.chip.model import Chip
from ipusim.cost.area import chip_area_mm2
from ipusim.engine.timing import time_program
from ipusim.engine.trace import Trace
from ipusim.errors import BadInputError, IpusimError
from ipusim.exploration.reads import ChipMemo
from ipusim.exploration.resolving import Case, reason_of
from ipusim.exploration.statuses import FAILED, INFEASIBLE, OK
from ipusim.files.wording import shorten
from ipusim.pipeline.compiling import Compiled, compile_graph
from ipusim.pipeline.infeasible import explain_infeasible
from ipusim.pipeline.run import Run
from ipusim.pipeline.simulation import NOT_EXECUTED
from ipusim.plan.cache import not_written

_PROGRAMS_KEPT = 8
_TRACES_KEPT = 64
_LONGEST_REASON = 300

Row = dict[str, Any]
"""``status``, ``reason`` and ``figures`` of a simulation."""


class Evaluator:
    """Simulates without executing; programs and their times serve all chips that agree in what they depend on."""

    def __init__(self) -> None:
        self._compiled: ChipMemo[Compiled] = ChipMemo(_PROGRAMS_KEPT)
        self._traces: ChipMemo[Trace] = ChipMemo(_TRACES_KEPT)

    def row(self, chip: Chip, case: Case) -> Row:
        """Return what the simulation of a workload on a chip says; an error of ipusim is a result, too."""
        try:
            with not_written():
                return self._row(chip, case)
        except BadInputError as error:
            return _no_figures(FAILED, reason_of(error))
        except IpusimError as error:
            return _no_figures(FAILED, str(error))
        except MemoryError:
            return _no_figures(FAILED, "this machine has not enough memory for it")
        except Exception as error:
            frame = traceback.extract_tb(error.__traceback__)[-1]
            place = f"{Path(frame.filename).name}:{frame.lineno}"
            return _no_figures(FAILED, f"a defect of ipusim: {type(error).__name__}: {error} ({place})")

    def _row(self, chip: Chip, case: Case) -> Row:
        found, name = self._compiled.get(
            case.key, chip, lambda traced: compile_graph(case.workload, traced, case.graph, runners_up=0)
        )
        compiled = replace(found, workload=case.workload, chip=chip, graph=case.graph)
        infeasible = explain_infeasible(compiled, with_levers=False)
        if infeasible is not None or compiled.program is None:
            assert infeasible is not None
            return _infeasible(compiled, infeasible)
        program = compiled.program
        trace, _ = self._traces.get(name, chip, lambda traced: time_program(program, traced))
        run = Run(compiled, {}, trace, NOT_EXECUTED, None, (), {})
        return {"status": OK, "reason": "", "figures": _figures(run)}


def _figures(run: Run) -> dict[str, Any]:
    phases, memory, chip = run.cycles_by_phase, run.memory, run.compiled.chip
    peak = run.peak_tflops
    return {
        "cycles": run.cycles,
        "seconds": run.seconds,
        "cycles_in_compute": phases["compute"],
        "cycles_in_exchange": phases["exchange"],
        "cycles_in_sync": phases["sync"],
        "flops": run.flops,
        "peak_seconds": run.flops / peak / 1e12 if peak else None,
        "energy_j": run.energy_j,
        "energy_by_component": run.energy_by_component,
        "area_mm2": chip_area_mm2(chip),
        "max_tile_bytes": memory["max_tile_bytes"],
        "total_bytes": memory["total_bytes"],
        "total_sram_bytes": chip.total_sram_bytes,
        "uncertainty": run.uncertainty,
    }


def _infeasible(compiled: Compiled, infeasible: dict[str, Any]) -> Row:
    constraint, demand = str(infeasible["constraint"]), infeasible["demand_bytes"]
    capacity = infeasible["capacity_bytes"]
    figures = {
        "area_mm2": chip_area_mm2(compiled.chip),
        "total_sram_bytes": compiled.chip.total_sram_bytes,
        "demand_bytes": demand,
        "capacity_bytes": capacity,
        "violation": demand / capacity - 1 if demand and capacity else 1.0,
    }
    reason = "does not fit in the SRAM of a tile" if constraint == "tile_sram_bytes" else constraint
    return {"status": INFEASIBLE, "reason": shorten(reason, _LONGEST_REASON), "figures": figures}


def _no_figures(status: str, reason: str) -> Row:
    return {"status": status, "reason": shorten(" ".join(reason.split()), _LONGEST_REASON), "figures": {}}
