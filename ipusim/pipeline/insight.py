"""What holds a workload back: relax one resource at a time, and time again."""

from __future__ import annotations

from typing import Any

from ipusim.chip.model import Chip
from ipusim.engine.known_costs import KnownCosts
from ipusim.engine.timing import time_program
from ipusim.pipeline.compiling import Compiled, changed_chip, compile_graph

FREE = 1 << 20


def insights(compiled: Compiled, cycles: int) -> tuple[dict[str, Any], ...]:
    """Return what each relaxed resource would change, the most helpful first.

    Parameters
    ----------
    compiled : Compiled
    cycles : int
        Cycles of the program as it is.

    Returns
    -------
    tuple of dict
        ``change`` (what was relaxed), ``cycles`` (then), ``relative`` (change of the cycles, negative is faster).
    """
    chip, program = compiled.chip, compiled.program
    if program is None or cycles == 0:
        return ()
    relaxed = {
        "exchange for free": _free_exchange(chip),
        "twice the exchange bandwidth": changed_chip(chip, exchange_bytes_per_cycle=2 * chip.exchange_bytes_per_cycle),
        "barriers for free": chip.replace(sync_cycles=0),
        "twice the AMP rate": _faster_amp(chip),
    }
    if any(step.streams for step, _ in program.supersteps()):
        relaxed["twice the DRAM bandwidth"] = changed_chip(chip, dram_bytes_per_s=2 * chip.dram_bytes_per_s)
    known = KnownCosts(program)
    found: list[tuple[str, int | None]] = [
        (change, time_program(program, other, known=known).cycles) for change, other in relaxed.items() if other
    ]
    found.append(("twice the SRAM", _with_twice_the_sram(compiled)))
    entries = [
        {"change": change, "cycles": value, "relative": round(value / cycles - 1, 4)}
        for change, value in found
        if value is not None
    ]
    return tuple(sorted(entries, key=lambda entry: (entry["cycles"], entry["change"])))


def _free_exchange(chip: Chip) -> Chip:
    return chip.replace(
        exchange_bytes_per_cycle=FREE,
        exchange_mux_cycles=0,
        exchange_tail_cycles=0,
        exchange_row_cycles=0,
        exchange_control_cycles_per_fragment=0,
        exchange_phase_overhead_cycles=0,
    )


def _faster_amp(chip: Chip) -> Chip:
    """Return the chip with half the cycles per row, which for some modes is no whole number: it is not checked."""
    modes = (mode.model_copy(update={"cycles_per_row": mode.cycles_per_row / 2}) for mode in chip.amp_modes)
    return chip.model_copy(update={"amp_modes": tuple(modes)})


def _with_twice_the_sram(compiled: Compiled) -> int | None:
    chip = compiled.chip
    larger = changed_chip(
        chip, tile_sram_bytes=2 * chip.tile_sram_bytes, interleaved_sram_bytes=2 * chip.interleaved_sram_bytes
    )
    if larger is None:
        return None
    again = compile_graph(compiled.workload, larger, compiled.graph)
    return None if again.program is None else time_program(again.program, larger).cycles
