"""What holds a workload back: relax one resource at a time, and time again."""

from __future__ import annotations

from typing import Any

from ipusim.chip.model import Chip
from ipusim.engine.timing import time_program
from ipusim.pipeline.compiling import Compiled, compile_graph

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
        "twice the exchange bandwidth": chip.replace(exchange_bytes_per_cycle=2 * chip.exchange_bytes_per_cycle),
        "barriers for free": chip.replace(sync_cycles=0),
        "twice the AMP rate": chip.replace(amp_modes=_faster_modes(chip)),
    }
    found: list[tuple[str, int | None]] = [
        (change, time_program(program, other).cycles) for change, other in relaxed.items()
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


def _faster_modes(chip: Chip) -> list[dict[str, Any]]:
    rows = [mode.model_dump(mode="json") for mode in chip.amp_modes]
    return [row | {"cycles_per_row": row["cycles_per_row"] / 2} for row in rows]


def _with_twice_the_sram(compiled: Compiled) -> int | None:
    chip = compiled.chip
    larger = chip.replace(
        tile_sram_bytes=2 * chip.tile_sram_bytes, interleaved_sram_bytes=2 * chip.interleaved_sram_bytes
    )
    again = compile_graph(compiled.workload, larger, compiled.graph)
    return None if again.program is None else time_program(again.program, larger).cycles
