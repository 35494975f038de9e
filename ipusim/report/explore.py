"""An exploration for a person at a terminal."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import RenderableType
from rich.text import Text

from ipusim.report.canvas import BAD, HEADING, QUIET, bar, bullets, columns, draw, heading, indented, sentence
from ipusim.report.explore_scatter import scatter
from ipusim.report.explore_words import (
    STATUSES,
    figure_text,
    figure_words,
    group_text,
    parameter_name,
    parameter_text,
    value_text,
)
from ipusim.report.numbers import format_count, format_percent, format_seconds
from ipusim.report.trust import band_text, exploration_uncertainty, limit_parts

Document = Mapping[str, Any]

_MOST_ROWS = 15
_MOST_EFFECTS = 8
_ENERGY = ("energy_j", "power_w", "tflops_per_w")
_BAR = 16
_ERROR = "model error"
_MARKS = "o Pareto front, . other allowed points"


def render_exploration(document: Document, width: int = 80, colour: bool = False, whole_front: bool = False) -> str:
    """Return the report of one exploration.

    Parameters
    ----------
    document : Mapping
        ``Exploration.to_dict()``; with a key ``top``, the best points are listed, too.
    width : int
        Columns of the terminal.
    colour : bool
        Whether to use colours and styles.
    whole_front : bool
        Whether to list all of the Pareto front instead of its first points.
    """
    parts = _head(document)
    objectives = [each.partition(":")[0] for each in document["objectives"]]
    if document.get("top"):
        parts += [heading(f"Best {len(document['top'])} by {figure_words(objectives[0])}")]
        parts += _table(document["top"], document, objectives, width)
    front = document["pareto"]
    if front and len(objectives) > 1:
        shown = front if whole_front else _spread(front, _MOST_ROWS)
        note = "" if len(shown) == len(front) else f"{len(shown)} of {len(front)} points; --pareto shows all"
        parts += [heading("Pareto front", note), *_table(shown, document, objectives, width)]
        picture = scatter(document, width)
        parts += [heading(" and ".join(map(figure_words, objectives[:2])), _MARKS), picture] if picture else []
    elif front and "top" not in document:
        parts += [heading("Best point"), *_table(front[:1], document, objectives, width)]
    parts += _energy(document)
    parts += _effects(document)
    parts += _reasons(document)
    parts += [heading("In short"), *bullets(document["summary"])]
    return draw([*parts, *limit_parts(document, exploration_uncertainty(document))], width, colour)


def render_status(status: Document) -> str:
    """Return how far an exploration is, in lines."""
    finished, wanted = status["finished"], status["wanted"]
    share = format_percent(finished / wanted if wanted else 1.0)
    others = "".join(
        f"It also holds {format_count(count)} {'point' if count == 1 else 'points'} of {status['space']} {of}.\n"
        for count, of in (
            (status["points_of_other_versions"], "from another version of ipusim"),
            (status["points_of_other_settings"], "with other parameters, sampler or seed"),
        )
        if count
    )
    return (
        f"{status['space']}: {format_count(finished)} of {format_count(wanted)} points finished ({share})\n"
        f"{status['store']}: {format_count(status['simulations_in_store'])} simulations, "
        f"{format_seconds(status['processor_seconds'])} of processor time\n"
        f"{others}"
    )


def _head(document: Document) -> list[RenderableType]:
    names = ", ".join(
        each["name"] + (f" x {each['weight']:g}" if each["weight"] != 1 else "") for each in document["workloads"]
    )
    options = document["options"]
    search = options["sampler"] + (f", seed {options['seed']}" if options["sampler"] != "grid" else "")
    counts = [f"{count:,} {STATUSES[status]}" for status, count in document["counts"].items()]
    parts: list[RenderableType] = [
        Text.assemble((document["space"], "bold cyan"), (f"  {document['description']}", QUIET)),
        sentence(f"{names} on {document['chip']} and its changes; {search}"),
        sentence(f"{document['finished']:,} of {document['wanted']:,} points finished: {', '.join(counts) or 'none'}"),
    ]
    if document["interrupted"]:
        parts.append(Text("interrupted: the same command goes on from here", BAD))
    return parts


def _spread(points: Sequence[Document], most: int) -> list[Document]:
    """Return at most so many points, evenly spread, the first and the last among them."""
    if len(points) <= most:
        return list(points)
    return [points[round(index * (len(points) - 1) / (most - 1))] for index in range(most)]


def _table(
    points: Sequence[Document], document: Document, objectives: Sequence[str], width: int
) -> list[RenderableType]:
    parameters = [*document["parameters"], *document["derived"]]
    known = any(point.get("uncertainty") for point in points)
    bands = [_ERROR, *(band_text(point.get("uncertainty")) for point in points)] if known else []
    same: list[str] = []
    if len(_fitting(points, parameters, objectives, bands, width)) < len(parameters) and len(points) > 1:
        first = points[0]["parameters"]
        alike = [name for name in parameters if all(each["parameters"].get(name) == first.get(name) for each in points)]
        parameters = [name for name in parameters if name not in alike]
        same = [parameter_text(name, first.get(name)) for name in alike]
        if len(set(bands[1:])) == 1:
            same.append(" ".join(bands[:2]))
            bands = []
    if len(_fitting(points, parameters, objectives, bands, width)) < len(parameters):
        bands = [_narrow(each) for each in bands]
    shown = _fitting(points, parameters, objectives, bands, width)
    left_out = [name for name in parameters if name not in shown]
    parameters = shown
    table = columns(*["right"] * (len(objectives) + len(parameters)), *(["left"] if bands else []))
    table.add_row(
        *(Text(figure_words(name), QUIET) for name in objectives),
        *(Text(parameter_name(name), QUIET) for name in parameters),
        *(Text(name, QUIET) for name in bands[:1]),
    )
    for place, point in enumerate(points, 1):
        table.add_row(
            *(Text(figure_text(name, point["figures"].get(name)), HEADING) for name in objectives),
            *(value_text(name, point["parameters"].get(name)) for name in parameters),
            *bands[place : place + 1],
        )
    parts: list[RenderableType] = [indented(table)]
    if same:
        parts.append(indented(sentence(f"(in all of them: {', '.join(same)})", QUIET)))
    if left_out:
        parts.append(indented(sentence(f"(not shown: {', '.join(left_out)}; --csv has them)", QUIET)))
    return parts


def _narrow(band: str) -> str:
    """Return the title or a cell of the column of errors in fewer characters: ``outside``, ``±3 % part``."""
    if band.startswith("±") and " of " in band:
        return f"{band.partition(' of ')[0]} part"
    return band.removeprefix("model ").partition(":")[0]


def _fitting(
    points: Sequence[Document], parameters: Sequence[str], objectives: Sequence[str], bands: Sequence[str], width: int
) -> list[str]:
    """Return the first parameters whose columns fit beside those of objectives and `bands`, at least one."""
    room = width - 2
    for name in objectives:
        texts = (figure_text(name, point["figures"].get(name)) for point in points)
        room -= 2 + max(map(len, (figure_words(name), *texts)))
    if bands:
        room -= 2 + max(map(len, bands))
    found: list[str] = []
    for name in parameters:
        texts = (value_text(name, point["parameters"].get(name)) for point in points)
        room -= 2 + max(map(len, (parameter_name(name), *texts)))
        if room < 0 and found:
            break
        found.append(name)
    return found


def _energy(document: Document) -> list[RenderableType]:
    """Return where the energy of the best point goes, if energy is an objective in some way."""
    asked = [each for each in document["objectives"] if each.partition(":")[0] in _ENERGY]
    if not asked or asked[0] not in document["best"]:
        return []
    point = document["best"][asked[0]]
    parts = point["energy_by_component"]
    total = sum(parts.values())
    if not total:
        return []
    table = columns("left", "left", "right", "right")
    for name, energy_j in sorted(((name, part) for name, part in parts.items() if part), key=lambda item: -item[1]):
        share = energy_j / total
        table.add_row(
            name.replace("_", " "), bar(share, _BAR, "cyan"), format_percent(share), figure_text("energy_j", energy_j)
        )
    name = asked[0].partition(":")[0]
    return [heading("Where the energy goes", f"at the best {figure_words(name)}"), indented(table)]


def _effects(document: Document) -> list[RenderableType]:
    parts: list[RenderableType] = []
    for objective, effects in document["sensitivity"].items():
        if not effects:
            continue
        name = objective.partition(":")[0]
        parts.append(heading(f"What decides {figure_words(name)}", "share of the variance that each explains alone"))
        table = columns("left", "left", "right", "left", "right")
        for effect in effects[:_MOST_EFFECTS]:
            ratio = "" if effect["ratio"] is None else f"{effect['ratio']:.3g}x"
            table.add_row(
                parameter_name(effect["parameter"]),
                bar(effect["share"], _BAR, "cyan"),
                format_percent(effect["share"]),
                f"best {group_text(effect['parameter'], effect['best'])}",
                ratio,
            )
        parts.append(indented(table))
    return parts


def _reasons(document: Document) -> list[RenderableType]:
    if not document["reasons"]:
        return []
    table = columns("right", "left", "left")
    for entry in document["reasons"]:
        table.add_row(f"{entry['points']:,}", STATUSES[entry["status"]], sentence(entry["reason"]))
    return [heading("Why the others are out"), indented(table)]
