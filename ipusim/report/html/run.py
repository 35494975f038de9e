"""The page of a run, from its result document."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ipusim.report.html.page import render_page, render_part
from ipusim.report.insight_words import insight_sentences
from ipusim.report.layers import shows_layers
from ipusim.report.plans import plan_line
from ipusim.report.trust import uncertainty_sentences
from ipusim.report.validation_words import DOCUMENTED_ERRORS

Result = Mapping[str, Any]

MOST_ROWS = 500
"""Of more supersteps or things in memory, tables show the largest; the plots have all."""

_SCRIPTS = ("timeline.js", "timeline_view.js", "tiles.js", "memory.js", "figures.js")


def render_run_page(result: Result) -> str:
    """Return the page of a run as HTML.

    Parameters
    ----------
    result : Mapping
        ``Run.to_dict()``; with its ``profile``, the page shows supersteps and tiles, too.
    """
    profile = result.get("profile")
    values = _values(result)
    data = {"profile": profile, "ops": _op_data(values["operators"]), "memory": result["memory"]}
    return render_page(
        "run.html.j2",
        _SCRIPTS if profile else (),
        data,
        title=f"{result['workload']} on {result['chip']}",
        sections=_sections(result),
        profile=profile,
        supersteps=_superstep_rows(result) if profile else (),
        n_supersteps=len(profile["supersteps"].get("name", ())) if profile else 0,
        held=_held_at_peak(profile) if profile else (),
        validation=DOCUMENTED_ERRORS,
        uncertainty=uncertainty_sentences(result),
        **values,
    )


def render_run_part(result: Result) -> str:
    """Return summary and operators of a run as HTML for a notebook."""
    title = f"{result['workload']} on {result['chip']}"
    return render_part("run_part.html.j2", title=title, profile=None, **_values(result))


def _values(result: Result) -> dict[str, Any]:
    fits = not result.get("infeasible")
    return {
        "result": result,
        "insights": insight_sentences(result) if fits else (),
        "layers": _layers(result) if fits else [],
        "operators": _operators(result) if fits else [],
    }


def _sections(result: Result) -> list[tuple[str, str]]:
    if result.get("infeasible"):
        return [("summary", "Summary"), ("trust", "Trust")]
    middle = [("layers", "Layers")] if shows_layers(result) else []
    middle.append(("operators", "Operators"))
    if result.get("profile"):
        places = [("timeline", "Timeline"), ("tiles", "Tiles"), ("memory", "Memory")]
        middle = [*places, *middle, ("roofline", "Roofline"), ("exchange", "Exchange")]
    return [("summary", "Summary"), *middle, ("trust", "Trust")]


def _layers(result: Result) -> list[dict[str, Any]]:
    """Return the rows of the table of layers with their shares and rates; none where operators are few."""
    if not shows_layers(result):
        return []
    total = result["cycles"] or 1
    hz = total / result["seconds"] if result["seconds"] else 0.0

    def with_rates(row: Mapping[str, Any]) -> dict[str, Any]:
        rate = row["flops"] * hz / row["cycles"] if row["cycles"] and row["flops"] else None
        return {**row, "share": row["cycles"] / total, "rate": rate}

    rows = [with_rates(row) for row in result["layers"]]
    return [{**row, "parts": [with_rates(part) for part in row["parts"]]} for row in rows]


def _operators(result: Result) -> list[dict[str, Any]]:
    total = result["cycles"] or 1
    hz = total / result["seconds"] if result["seconds"] else 0.0
    peaks = (result.get("profile") or {}).get("roofline", {}).get("peak_flops")
    return [_operator(index, op, total, hz, peaks[index] if peaks else 0.0) for index, op in enumerate(result["ops"])]


def _operator(index: int, op: Mapping[str, Any], total: int, hz: float, peak: float) -> dict[str, Any]:
    cycles = op["cycles"] or 0
    rate = op["flops"] * hz / cycles if cycles and op["flops"] else None
    terms = sorted((op.get("terms") or {}).items(), key=lambda item: -item[1])
    return {
        "index": index,
        "name": op["name"],
        "op": op["op"],
        "cycles": cycles,
        "flops": op["flops"],
        "share": cycles / total,
        "rate": rate,
        "of_peak": rate / peak if rate and peak else None,
        "bytes_exchanged": op["bytes_exchanged"] or 0,
        "energy_j": op.get("energy_j"),
        "imbalance": op.get("imbalance") or 0.0,
        "mostly": ", ".join(f"{label} {cycles_of / cycles:.0%}" for label, cycles_of in terms[:2]) if cycles else "",
        "plan": plan_line(op["plan"]) if op.get("plan") else "",
    }


def _op_data(operators: list[dict[str, Any]]) -> list[dict[str, Any]]:
    keys = ("name", "op", "cycles", "flops", "rate", "bytes_exchanged")
    return [{key: op[key] for key in keys} for op in operators]


def _superstep_rows(result: Result) -> list[dict[str, Any]]:
    """Return the costliest supersteps in program order, with the figures of all their runs."""
    columns = result["profile"]["supersteps"]
    total = result["cycles"] or 1
    rows = []
    for index, name in enumerate(columns.get("name", ())):
        runs, op = columns["count"][index], columns["op"][index]
        figures = {key: columns[key][index] * runs for key in ("compute", "sync", "exchange", "bytes")}
        cycles = figures["compute"] + figures["sync"] + figures["exchange"]
        names = {"index": index, "name": name, "op": result["ops"][op]["name"] if op >= 0 else ""}
        tiles = columns["tiles"][index]
        rows.append({**names, "count": runs, "cycles": cycles, "share": cycles / total, "tiles": tiles, **figures})
    costliest = sorted(rows, key=lambda row: (-row["cycles"], row["index"]))[:MOST_ROWS]
    return sorted(costliest, key=lambda row: row["index"])


def _held_at_peak(profile: Mapping[str, Any]) -> list[Any]:
    step = profile["memory"]["peak_step"]
    found = [entry for entry in profile["memory"]["contents"] if entry[2] <= step <= entry[3]]
    return found[:MOST_ROWS]
