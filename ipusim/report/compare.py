"""A comparison of dense with sparse for a person at a terminal."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from rich.console import RenderableType
from rich.text import Text

from ipusim.report.canvas import BAD, GOOD, HEADING, QUIET, bullets, columns, draw, heading, indented, sentence
from ipusim.report.compare_curves import curves
from ipusim.report.compare_map import LEGEND, block_map, condition_maps, condition_rows
from ipusim.report.compare_precision import precision_table
from ipusim.report.compare_words import (
    Document,
    by_condition,
    condition_key,
    condition_text,
    constant_text,
    density_text,
    speedup_text,
    values_of,
    varying,
)
from ipusim.report.numbers import (
    UNKNOWN,
    format_bytes,
    format_count,
    format_joules,
    format_scaled,
    format_seconds,
    format_shares,
)
from ipusim.report.trust import comparison_uncertainty, limit_parts

_MOST_SECTIONS = 6
_MOST_SENTENCES = 16
_STATUS = {"infeasible": "no fit", "bad_input": "bad input", "failed": "failed", "not_run": "not run"}


def render_comparison(document: Document, width: int = 80, colour: bool = False) -> str:
    """Return the report of one comparison.

    Under few conditions, each has a table of all cells, heat maps and curves; of many, there are heat maps over all.
    Break-even densities come last.

    Parameters
    ----------
    document : Mapping
        ``Comparison.to_dict()``.
    width : int
        Columns of the terminal.
    colour : bool
        Whether to use colours and styles.
    """
    parts = [*_head(document), *precision_table(document)]
    if len(document["baselines"]) <= _MOST_SECTIONS:
        cells = by_condition(document["cells"])
        for baseline in document["baselines"]:
            parts += _section(baseline, cells.get(condition_key(baseline), []), width)
    else:
        parts += _overview(document, width)
    return draw(
        [*parts, *_conclusion(document), *limit_parts(document, comparison_uncertainty(document))], width, colour
    )


def _head(document: Document) -> list[RenderableType]:
    title = f"{document['workload']} on {document['chip']}"
    resized = any(baseline["features"] for baseline in document["baselines"])
    weights = ", ".join(f"{name} {'square' if resized else shape}" for name, shape in document["weights"].items())
    parts: list[RenderableType] = [
        Text.assemble((title, "bold cyan"), ("  dense against sparse", QUIET)),
        sentence(f"made sparse: {weights}", QUIET),
    ]
    if document["interrupted"]:
        n_points = len(document["baselines"]) + len(document["cells"])
        parts.append(Text(f"INTERRUPTED: {document['not_run']} of {n_points} points were not run", BAD))
    return [*parts, *(sentence(note, QUIET) for note in document["notes"])]


def _section(baseline: Document, cells: Sequence[Document], width: int) -> list[RenderableType]:
    parts: list[RenderableType] = [heading(condition_text(baseline)), indented(_dense(baseline)), Text("")]
    parts += [indented(_table(cells, width)), *_footnotes(cells), *_plans(cells), *_energy(baseline, cells)]
    compared = [cell for cell in cells if cell["speedup"] is not None]
    if not compared:
        return parts
    for mode in values_of(compared, "mode"):
        parts += [heading(f"Speed-up, {mode}"), block_map([cell for cell in cells if cell["mode"] == mode])]
    parts.append(indented(Text(LEGEND, QUIET)))
    plot = curves(compared, width)
    return [*parts, heading("Speed-up against density"), plot] if plot else parts


def _dense(baseline: Document) -> Text:
    if baseline["cycles"] is None:
        verdict = "does not fit" if baseline["status"] == "infeasible" else _STATUS[baseline["status"]]
        reason = f": {baseline['reason']}" if baseline["reason"] else ""
        return sentence(f"The dense baseline {verdict}{reason}. No speed-ups can be given.", BAD)
    rate = format_scaled((baseline["useful_tflops"] or 0) * 1e12, "FLOP/s")
    memory = f"{format_bytes(baseline['max_tile_bytes'])} of {format_bytes(baseline['tile_sram_bytes'])}"
    cycles = f"{format_count(baseline['cycles'])} cycles, {format_seconds(baseline['seconds'])}"
    energy = ""
    if baseline["energy_j"] is not None:
        energy = f", {format_joules(baseline['energy_j'])} ({format_scaled(baseline.get('power_w'), 'W')})"
    return sentence(f"dense: {cycles}, {rate}, {memory} on a tile{energy}")


def _table(cells: Sequence[Document], width: int) -> RenderableType:
    energy = _energy_columns(cells, width)
    titles = ["mode", "b", "density", "cycles", "speed-up", "c/e/s %", "eff.", "useful", "tile", *energy]
    table = columns("left", *("right" for _ in titles[1:]))
    table.padding = (0, 1, 0, 0)
    table.add_row(*(Text(title, HEADING) for title in titles))
    marks = _marks(cells)
    shown = ""
    for cell in cells:
        mode = cell["mode"] if cell["mode"] != shown else ""
        shown = cell["mode"]
        row = [Text(mode), str(cell["block_size"]), density_text(cell["density"]), *_figures(cell, marks)]
        table.add_row(*row, *(_ENERGY[title](cell) for title in energy))
    return table


_ENERGY: dict[str, Callable[[Document], Text | str]] = {
    "energy": lambda cell: format_joules(cell["energy_j"]),
    "saving": lambda cell: _saving(cell.get("energy_ratio")),
}
_ROOM_FOR_JOULES = 90


def _energy_columns(cells: Sequence[Document], width: int) -> list[str]:
    """Return the columns about energy: joules where there is room for them, or nothing to compare them with."""
    if all(cell["energy_j"] is None for cell in cells):
        return []
    compared = any(cell.get("energy_ratio") is not None for cell in cells)
    joules = ["energy"] if width >= _ROOM_FOR_JOULES or not compared else []
    return [*joules, *(["saving"] if compared else [])]


def _saving(ratio: float | None) -> Text | str:
    return UNKNOWN if ratio is None else Text(speedup_text(ratio), GOOD if ratio > 1 else "")


def _figures(cell: Document, marks: dict[str, str]) -> list[Text | str]:
    memory = format_bytes(cell["max_tile_bytes"])
    if cell["cycles"] is None:
        status = Text(f"{_STATUS[cell['status']]} {marks.get(cell['reason'], '')}".rstrip(), BAD)
        return [status, UNKNOWN, "", "", "", memory]
    style = "" if cell["speedup"] is None else GOOD if cell["speedup"] > 1 else ""
    return [
        format_count(cell["cycles"]),
        Text(speedup_text(cell["speedup"]), style),
        _shares(cell),
        _tflops(cell["effective_tflops"]),
        _tflops(cell["useful_tflops"]),
        memory,
    ]


def _shares(cell: Document) -> str:
    shares = [100 * (cycles or 0) / cell["cycles"] for cycles in cell["cycles_by_phase"].values()]
    return "/".join(f"{share:2.0f}" for share in shares)


def _tflops(tflops: float | None) -> str:
    return UNKNOWN if tflops is None else f"{tflops:,.0f}" if tflops >= 100 else f"{tflops:.3g}"


def _marks(cells: Sequence[Document]) -> dict[str, str]:
    """Return a number for each reason that the table does not say itself."""
    reasons = [cell["reason"] for cell in cells if cell["reason"] and cell["status"] != "not_run"]
    unsaid = [reason for reason in reasons if not reason.startswith("a tile would need")]
    return {reason: f"[{number}]" for number, reason in enumerate(dict.fromkeys(unsaid), 1)}


def _footnotes(cells: Sequence[Document]) -> list[RenderableType]:
    lines = [sentence(f"{mark} {reason}") for reason, mark in _marks(cells).items()]
    units = [
        "c/e/s: compute, exchange and sync; eff.: TFLOP/s as if dense;",
        "useful: TFLOP/s on non-zeros; tile: bytes on the fullest",
    ]
    if any(cell.get("energy_ratio") is not None for cell in cells):
        units.append("saving: energy of the dense baseline over that of the cell")
    dynamic = [text for text in (_spill_text(cells), _update_text(cells)) if text]
    return [
        *(indented(line) for line in lines),
        *(indented(Text(line, QUIET)) for line in units),
        *(indented(sentence(text, QUIET)) for text in dynamic),
    ]


def _spill_text(cells: Sequence[Document]) -> str:
    """Return in how many dynamic cells buckets overflow, which explains why some are slow."""
    steps = [cell["propagation_steps"] for cell in cells if cell.get("propagation_steps") is not None]
    spilt = [count for count in steps if count]
    if not spilt:
        return ""
    ends = " to ".join(dict.fromkeys(format_count(count) for count in (min(spilt), max(spilt))))
    noun = "propagation step" if max(spilt) == 1 else "propagation steps"
    return (
        f"In {len(spilt)} of {len(steps)} dynamic cells buckets overflow, and {ends} {noun} pass them on: "
        "a larger sparsity.oversize makes room."
    )


def _update_text(cells: Sequence[Document]) -> str:
    """Return what a new pattern costs in dynamic mode, from the least to the most of any cell."""
    costly = [cell for cell in cells if cell.get("update_host_s") is not None]
    if not costly:
        return ""
    shown = []
    for key, place in (("update_host_s", "on the host"), ("update_upload_s", "of upload")):
        values = [cell[key] for cell in costly if cell[key] is not None]
        if values:
            ends = dict.fromkeys(format_seconds(value) for value in (min(values), max(values)))
            shown.append(f"{' to '.join(ends)} {place}")
    return f"A new pattern in dynamic mode takes {' and '.join(shown)}, beside these cycles."


def _plans(cells: Sequence[Document]) -> list[RenderableType]:
    """Return the plan of the fastest cell of each mode."""
    lines = []
    for mode in values_of(cells, "mode"):
        timed = [cell for cell in cells if cell["mode"] == mode and cell["cycles"] and cell["plan"]]
        if timed:
            best = min(timed, key=lambda cell: cell["cycles"])
            place = f"{mode}, block size {best['block_size']}, density {density_text(best['density'])}"
            lines.append(f"{place}: {best['plan']}")
    return [heading("Plans of the fastest cells"), *bullets(lines)] if lines else []


def _energy(baseline: Document, cells: Sequence[Document]) -> list[RenderableType]:
    """Return where the energy goes, of the baseline and of the fastest cell of each mode."""
    shown = {"dense": baseline}
    for mode in values_of(cells, "mode"):
        timed = [cell for cell in cells if cell["mode"] == mode and cell["cycles"]]
        if timed:
            best = min(timed, key=lambda cell: cell["cycles"])
            shown[f"{mode}, block size {best['block_size']}, density {density_text(best['density'])}"] = best
    known = {place: cell for place, cell in shown.items() if cell["energy_j"] and cell.get("energy")}
    lines = [f"{place}: {format_shares(cell['energy'])}" for place, cell in known.items()]
    return [heading("Energy of the fastest cells"), *bullets(lines)] if lines else []


def _overview(document: Document, width: int) -> list[RenderableType]:
    parts: list[RenderableType] = []
    for mode in values_of(document["cells"], "mode"):
        cells = [cell for cell in document["cells"] if cell["mode"] == mode]
        parts.append(heading(f"Speed-up, {mode}", constant_text(cells)))
        for index, part in enumerate(condition_maps(cells, width)):
            parts += [Text(""), part] if index else [part]
    parts += [indented(Text(LEGEND, QUIET))]
    without = [condition_text(cell) for cell in document["baselines"] if cell["cycles"] is None]
    if without:
        text = f"The dense baseline has no figures, so that there are no speed-ups: {'; '.join(without)}."
        parts += [Text(""), sentence(text, BAD)]
    counts = {status: sum(cell["status"] == status for cell in document["cells"]) for status in _STATUS}
    troubles = ", ".join(f"{count} {_STATUS[status]}" for status, count in counts.items() if count)
    hint = "--csv FILE and --json have every cell."
    return [*parts, Text(""), sentence(f"Cells without figures: {troubles or 'none'}. {hint}", QUIET)]


def _conclusion(document: Document) -> list[RenderableType]:
    parts: list[RenderableType] = [heading("Break-even density")]
    if len(document["summary"]) <= _MOST_SENTENCES:
        parts += bullets(document["summary"])
    else:
        parts += _break_even_tables(document["break_even"])
    best = max((cell for cell in document["cells"] if cell["speedup"]), key=lambda cell: cell["speedup"], default=None)
    if best is None:
        return [*parts, Text(""), Text("No speed-up could be computed.", BAD)]
    place = f"{best['mode']}, block size {best['block_size']}, density {density_text(best['density'])}"
    text = f"Largest speed-up: {speedup_text(best['speedup'])} ({place}, {condition_text(best)})."
    return [*parts, Text(""), sentence(text), *_energy_sentence(document)]


def _energy_sentence(document: Document) -> list[RenderableType]:
    cells = [cell for cell in document["cells"] if cell.get("energy_ratio") is not None]
    if not cells:
        return []
    best = max(cells, key=lambda cell: cell["energy_ratio"])
    place = f"{best['mode']}, block size {best['block_size']}, density {density_text(best['density'])}"
    cheaper = sum(cell["energy_ratio"] > 1 for cell in cells)
    text = f"Sparse takes less energy than dense in {cheaper} of {len(cells)} cells"
    if best["energy_ratio"] > 1:
        text += f", at best by {speedup_text(best['energy_ratio'])} ({place}, {condition_text(best)})"
    return [sentence(f"{text}.")]


def _break_even_tables(evens: Sequence[Document]) -> Iterator[RenderableType]:
    """Yield for each mode a table of the break-even densities: a row per condition, a column per block size."""
    found = {(condition_key(even), even["mode"], even["block_size"]): even for even in evens}
    keys, sizes = varying(evens), values_of(evens, "block_size")
    for mode in values_of(evens, "mode"):
        table = columns(*("right" for _ in (*keys, *sizes)))
        table.add_row(*(Text(title, HEADING) for title in (*keys, *(f"b {size}" for size in sizes))))
        for key, texts in condition_rows(evens):
            table.add_row(*texts, *(_break_even(found.get((key, mode, size))) for size in sizes))
        yield indented(Text(mode, HEADING))
        yield indented(table)


def _break_even(even: Document | None) -> str:
    if even is None or even["outcome"] == "unknown":
        return UNKNOWN
    if even["density"] is None:
        return str(even["outcome"])
    return density_text(even["density"]) + ("?" if even["outcome"] == "uneven" else "")
