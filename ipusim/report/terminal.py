"""A result for a person at a terminal: what ran, how fast, where the cycles and the bytes went, and what it means."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rich.console import RenderableType
from rich.text import Text

from ipusim.report.canvas import BAD, GOOD, QUIET, bar, bullets, columns, draw, heading, indented, sentence
from ipusim.report.insight_words import relaxation_sentence
from ipusim.report.layers import layer_parts, shows_layers, without_layer_number
from ipusim.report.lever_words import lever_words
from ipusim.report.numbers import (
    format_bytes,
    format_count,
    format_error,
    format_joules,
    format_percent,
    format_scaled,
    format_seconds,
    format_shares,
)
from ipusim.report.operators import operator_parts
from ipusim.report.tile_map import tile_parts
from ipusim.report.trust import limit_parts, uncertainty_sentences

Result = Mapping[str, Any]

_PHASE_STYLE = {"compute": "green", "exchange": "yellow", "sync": "magenta"}
_BAR = 32
_MOST_TERMS = 16


def render_run(result: Result, width: int = 80, colour: bool = False, every_op: bool = False) -> str:
    """Return the report of one run.

    Parameters
    ----------
    result : Mapping
        The result document (``Run.to_dict()``); with its profile, there is a map of the tiles.
    width : int
        Columns of the terminal.
    colour : bool
        Whether to use colours and styles.
    every_op : bool
        Show all operators, one by one; by default a network is shown by layers, and of many operators the costliest.
    """
    parts = [_title(result)]
    if result.get("infeasible"):
        parts += _infeasible(result["infeasible"])
    else:
        by_layer = shows_layers(result) and not every_op
        table = layer_parts(result) if by_layer else operator_parts(result, every_op, width)
        parts += [*_figures(result), *_phases(result), *table, *_memory(result), *_levers(result)]
        parts += tile_parts(result["profile"]) if result.get("profile") else []
        parts += [*_check(result), *_insights(result)]
    return draw([*parts, *limit_parts(result, uncertainty_sentences(result))], width, colour)


def _title(result: Result) -> RenderableType:
    tiles = result.get("tiles_used")
    notes = [f"{format_count(tiles)} tiles used"] if tiles else []
    notes.append(f"seed {result['seed']}")
    return Text.assemble((f"{result['workload']} on {result['chip']}", "bold cyan"), (f"  {', '.join(notes)}", QUIET))


def _figures(result: Result) -> list[RenderableType]:
    table = columns("left", "right", "left")
    table.add_row("cycles", format_count(result["cycles"]), f"in {format_count(result['supersteps'])} supersteps")
    table.add_row("time", format_seconds(result["seconds"]), "")
    peak = f"{format_percent(result['fraction_of_peak'])} of the peak of {_rate(result['peak_tflops'])}"
    table.add_row("rate", _rate(result["tflops"]), peak)
    if result.get("energy_j") is None:
        return [indented(table), *_unknown_energy(result)]
    average = f"{format_scaled(result.get('power_w'), 'W')} on average"
    per_watt = f"{result.get('tflops_per_w') or 0:.3g} TFLOP/s per W"
    table.add_row("energy", format_joules(result["energy_j"]), f"{average}, {per_watt}")
    return [indented(table), *_energy_parts(result.get("energy") or {})]


def _unknown_energy(result: Result) -> list[RenderableType]:
    note = result.get("energy_note")
    return [indented(sentence(f"energy unknown: {note}", QUIET))] if note else []


def _energy_parts(energy: Mapping[str, float]) -> list[RenderableType]:
    """Return one line with the percentages of the components, the largest first."""
    return [indented(sentence(format_shares(energy), QUIET))] if any(energy.values()) else []


def _rate(tflops: float | None) -> str:
    return format_scaled(None if tflops is None else tflops * 1e12, "FLOP/s")


def _phases(result: Result) -> list[RenderableType]:
    table = columns("left", "left", "right", "right")
    for phase, cycles in result["cycles_by_phase"].items():
        share = cycles / result["cycles"] if result["cycles"] else 0.0
        style = _PHASE_STYLE.get(phase, "blue")
        table.add_row(phase, bar(share, _BAR, style), format_percent(share), format_count(cycles))
    parts = [heading("Where the cycles go"), indented(table)]
    idle = result.get("idle_fraction")
    if idle is not None:
        parts.append(indented(sentence(f"The mean tile is idle for {format_percent(idle)} of the time.")))
    return parts


def _memory(result: Result) -> list[RenderableType]:
    memory = result["memory"]
    share = memory["max_tile_bytes"] / memory["tile_sram_bytes"]
    where = f"tile {memory['worst_tile']}"
    table = columns("left", "left", "right", "left")
    size = f"{format_bytes(memory['max_tile_bytes'])} of {format_bytes(memory['tile_sram_bytes'])}"
    table.add_row(where, bar(share, _BAR, "cyan"), format_percent(share), size)
    categories = sorted(memory["by_category"].items(), key=lambda item: -item[1])
    inside = ", ".join(f"{name.replace('_', ' ')} {format_bytes(size)}" for name, size in categories if size)
    parts = [
        heading("Memory of the fullest tile", f"{format_bytes(memory['total_bytes'])} on all tiles"),
        indented(table),
    ]
    return [*parts, indented(sentence(inside))] if inside else parts


def _levers(result: Result) -> list[RenderableType]:
    """Return what the compiler did so that the workload fits, if anything."""
    taken = result.get("levers_taken") or []
    lines = [f"{lever_words(lever)} (about {format_count(lever['added_cycles'])} cycles more)" for lever in taken]
    return [heading("What the compiler did to make it fit"), *bullets(lines)] if lines else []


def _check(result: Result) -> list[RenderableType]:
    check = result["check"]
    if not check["executed"]:
        return [heading("Check"), indented(Text("not executed: only cycles and memory were computed"))]
    verdict = Text("passed", GOOD) if check["passed"] else Text("FAILED", BAD)
    scope = check.get("checked_fraction")
    if scope == 0:
        text = "By the bounds on rounding errors the sums may leave the range of their format: any result is possible."
        return [heading("Check"), indented(Text("nothing compared. ", BAD) + sentence(text))]
    text = ": every operator against its float64 reference"
    text += f", on {format_percent(scope)} of the values. " if scope is not None and scope < 1 else ". "
    text += f"Largest error {format_error(check['max_rel_error'])} of the largest value"
    text += f" ({check['worst_op']})" if check.get("worst_op") else ""
    if check.get("tolerance") is not None:
        text += f", tolerance {format_error(check['tolerance'])}"
    text += f"; {format_error(check['max_abs_error'])} absolute."
    return [heading("Check"), indented(verdict + sentence(text))]


def _insights(result: Result) -> list[RenderableType]:
    text = relaxation_sentence(result)
    return [heading("Insight"), indented(sentence(text))] if text else []


def _infeasible(infeasible: Mapping[str, Any]) -> list[RenderableType]:
    demand, capacity, tile = (infeasible[key] for key in ("demand_bytes", "capacity_bytes", "tile"))
    if not demand:
        parts: list[RenderableType] = [Text(f"DOES NOT RUN: {infeasible['constraint']}", BAD)]
    else:
        table = columns("left", "right", "left")
        on_tiles = "on each tile" if tile is None else f"on tile {tile}"
        table.add_row("demand", format_bytes(demand), "" if infeasible["constraint"] == "dram_bytes" else on_tiles)
        table.add_row("capacity", format_bytes(capacity), "")
        times = f"{demand / capacity:.3g} times what there is" if capacity else "the chip has none"
        table.add_row("gap", format_bytes(infeasible["gap_bytes"]), times)
        parts = [Text(f"DOES NOT FIT: {infeasible['constraint']}", BAD), indented(table)]
    if infeasible["terms"]:
        terms = columns("left", "right")
        largest = _by_layer(infeasible["terms"])
        for name, size in largest[:_MOST_TERMS]:
            terms.add_row(name, format_bytes(size))
        parts += [heading("What takes the memory"), indented(terms)]
        if rest := largest[_MOST_TERMS:]:
            further = f"{format_count(len(rest))} further things take {format_bytes(sum(size for _, size in rest))}."
            parts.append(indented(sentence(further)))
    if infeasible["levers"]:
        parts += [heading("What would help"), *bullets(infeasible["levers"])]
    return parts


def _by_layer(terms: Mapping[str, int]) -> list[tuple[str, int]]:
    """Return what takes the memory, the largest first; what only the number of its layer tells apart is taken together.

    The number is a word of its own in the name: ``tensors of layers.3.ffn.weight``.
    """
    together: dict[str, list[tuple[str, int]]] = {}
    for name, size in terms.items():
        together.setdefault(without_layer_number(name), []).append((name, size))
    sums = [
        (found[0][0] if len(found) == 1 else f"{name}, {len(found)} times", sum(size for _, size in found))
        for name, found in together.items()
    ]
    return sorted(sums, key=lambda entry: -entry[1])
