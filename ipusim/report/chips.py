"""Chips for a person at a terminal: the list of them, and one with every constant."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from rich.console import RenderableType
from rich.text import Text

from ipusim.chip.model import Chip
from ipusim.report.canvas import HEADING, QUIET, columns, draw, heading, indented
from ipusim.report.chip_document import chip_document
from ipusim.report.numbers import UNKNOWN, format_bytes, format_count, format_engineering, format_scaled

_PEAKS = ("float8", "float16", "float32")
"""Formats whose peaks the table of chips has; ``chips show`` has all of a chip."""

_CONFIDENCE_STYLE = {"measured": "green", "documented": "green", "derived": "yellow", "assumed": "red"}


def render_chips(chips: Iterable[Chip], width: int = 80, colour: bool = False) -> str:
    """Return a table of `chips`: size, clock, memory and peaks."""
    titles = ("chip", "tiles", "workers", "clock", "SRAM", *_PEAKS)
    table = columns("left", *("right" for _ in titles[1:]))
    table.padding = (0, 1, 0, 0)
    table.add_row(*(Text(title, HEADING) for title in titles))
    notes = columns("left", "left")
    for chip in chips:
        table.add_row(
            chip.name,
            format_count(chip.n_tiles),
            format_count(chip.worker_contexts),
            format_scaled(chip.clock_hz, "Hz"),
            format_bytes(chip.total_sram_bytes),
            *(format_scaled(chip.peak_flops(dtype) or None, "FLOP/s") for dtype in _PEAKS),
        )
        notes.add_row(chip.name, Text(chip.description, QUIET))
    hint = Text("ipusim chips show NAME lists every constant with its source.", QUIET)
    return draw([table, Text(""), notes, Text(""), hint], width, colour)


def render_chip(chip: Chip, width: int = 80, colour: bool = False) -> str:
    """Return `chip` with its derived peaks and every constant: value, unit, confidence, source."""
    document = chip_document(chip)
    constants = document["constants"]
    modes = constants["amp_modes"]
    parts: list[RenderableType] = [
        Text.assemble((chip.name, "bold cyan"), (f"  {chip.description}", QUIET)),
        *_derived(document["derived"]),
        heading("Matrix unit (amp_modes)"),
        indented(_modes(modes["value"])),
        *_origins(modes),
        heading("Constants"),
    ]
    for name, constant in constants.items():
        if name != "amp_modes":
            parts += _constant(name, constant)
    return draw([*parts, *_summary(constants)], width, colour)


def _derived(derived: Mapping[str, Any]) -> list[RenderableType]:
    table = columns("left", "right")
    for pair, peak in derived["peak_flops"].items():
        table.add_row(f"peak, {pair.replace('/', ' with partials in ')}", f"{peak / 1e12:,.4g} TFLOP/s")
    table.add_row("SRAM of all tiles", format_bytes(derived["total_sram_bytes"]))
    table.add_row("SRAM read rate of all tiles", format_scaled(derived["sram_read_bytes_per_s"], "B/s"))
    table.add_row("exchange rate of all tiles", format_scaled(derived["exchange_bytes_per_s"], "B/s"))
    table.add_row("all links, one direction", format_scaled(derived["links_bytes_per_s"], "B/s"))
    if derived["area_mm2"] is not None:
        table.add_row("area of the die", f"{derived['area_mm2']:,.4g} mm2")
    if derived["peak_power_w"] is not None:
        formats = derived["peak_power_formats"].replace("/", " with partials in ")
        table.add_row(f"power at the peak, {formats}", f"{derived['peak_power_w']:,.4g} W")
        table.add_row("power at half of that peak", f"{derived['half_peak_power_w']:,.4g} W")
    lines: list[RenderableType] = [heading("Derived"), indented(table)]
    return lines + [indented(Text(line, QUIET)) for line in _area(derived)]


def _area(derived: Mapping[str, Any]) -> list[str]:
    if derived["area_mm2"] is None:
        return []
    parts = derived["area_by_part_mm2"].items()
    return ["area: " + ", ".join(f"{name.replace('_', ' ')} {area:,.4g}" for name, area in parts) + " mm2"]


def _modes(modes: Iterable[Mapping[str, Any]]) -> RenderableType:
    rows = list(modes)
    names = list(rows[0])
    table = columns("right", *("left" if isinstance(rows[0][name], str) else "right" for name in names))
    table.add_row("", *(Text(name, HEADING) for name in names))
    for index, row in enumerate(rows):
        table.add_row(Text(str(index), QUIET), *(_quantity(row[name], "") for name in names))
    return table


def _constant(name: str, constant: Mapping[str, Any]) -> list[RenderableType]:
    value, unit = constant["value"], constant["unit"]
    entries = dict(value) if isinstance(value, Mapping) else {"": value}
    confidence = constant["confidence"] or ""
    lines: list[RenderableType] = []
    for part, entry in entries.items():
        label = (f"{name}.{part}" if part else name).ljust(36)
        quantity = _quantity(entry, unit).rjust(28)
        line = Text.assemble((label, HEADING), quantity, "  ", (confidence, _CONFIDENCE_STYLE.get(confidence, "")))
        lines.append(indented(line))
    return [*lines, *_origins(constant)]


def _origins(constant: Mapping[str, Any]) -> list[RenderableType]:
    """Return where a constant comes from, and the parts of it that come from elsewhere."""
    lines = [_origin(constant["meaning"], constant)]
    lines += [_origin(f"{path}, {part['confidence']}", part) for path, part in constant["parts"].items()]
    return [indented(Text(line, QUIET), 4) for line in lines]


def _origin(subject: str, origin: Mapping[str, Any]) -> str:
    source = f"source: {origin['source']}" if origin["source"] else ""
    return "; ".join(part for part in (subject, source, origin["note"]) if part)


def _quantity(value: Any, unit: str) -> str:
    if value is None:
        return UNKNOWN
    if isinstance(value, bool):
        return "yes" if value else "no"
    if unit == "B" and value >= 1024:
        return f"{format_bytes(value)} = {value:,} B"
    if isinstance(value, float) and unit and not 0.01 <= abs(value) < 1e5:
        return format_engineering(value, unit)
    text = f"{value:,}" if isinstance(value, int) else f"{value:g}" if isinstance(value, float) else str(value)
    return f"{text} {unit}".rstrip()


def _summary(constants: Mapping[str, Mapping[str, Any]]) -> list[RenderableType]:
    counts: dict[str, int] = {}
    for constant in constants.values():
        if constant["value"] is not None and constant["confidence"]:
            counts[constant["confidence"]] = counts.get(constant["confidence"], 0) + 1
    ordered = ", ".join(f"{counts[name]} {name}" for name in _CONFIDENCE_STYLE if name in counts)
    return [Text(""), Text(f"Constants by confidence: {ordered}.", QUIET)]
