"""An exploration in plain sentences."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from ipusim.files.wording import join_words
from ipusim.report.explore_words import figure_text, figure_words, parameter_name, parameter_text

if TYPE_CHECKING:
    from ipusim.exploration.result import Exploration

_FRONT = "are worth a choice between {}: no other beats them"
_STRONG = 0.05
_WEAK = 0.01


def summary(exploration: Exploration) -> list[str]:
    """Return what an exploration comes to, in sentences."""
    counts = exploration.survey.counts
    finished, good = sum(counts.values()), len(exploration.survey.positions)
    lines = [_how_many(finished, good, counts)]
    if exploration.survey.without_figures:
        names = join_words(sorted(exploration.survey.without_figures), "and")
        lines.append(f"{names} of some points is not known: their chip does not say what it takes.")
    if not finished and exploration.status()["points_of_other_versions"]:
        lines.append(
            f"{exploration.path} holds points of another version of ipusim, which are not mixed with new ones."
        )
    if not good:
        return lines
    for objective, point in exploration.best().items():
        name, _, direction = objective.partition(":")
        word = "most" if direction == "desc" else "fewest" if name.startswith("cycles") else "least"
        chosen = join_words([parameter_text(key, value) for key, value in point["parameters"].items()], "and")
        lines.append(f"The {word} {figure_words(name)}, {figure_text(name, point['figures'][name])}, with {chosen}.")
    if len(exploration.space.objectives) > 1:
        front = len(exploration.pareto())
        names = join_words([figure_words(each.metric) for each in exploration.space.objectives], "and")
        words = "is worth a choice between {}: no other beats it" if front == 1 else _FRONT
        lines.append(f"{front:,} of {good:,} points {words.format(names)} in all.")
    lines += _within_error(exploration)
    for objective, effects in exploration.sensitivity().items():
        strong = [
            f"{parameter_name(each.parameter)} ({100 * each.share:.0f} %)" for each in effects if each.share >= _STRONG
        ]
        weak = [parameter_name(each.parameter) for each in effects if each.share < _WEAK]
        name = figure_words(objective.partition(":")[0])
        if strong:
            lines.append(f"What decides {name}: {join_words(strong, 'and')}.")
        if weak:
            lines.append(f"What hardly changes {name}: {join_words(weak, 'and')}.")
    for entry in exploration.price_of_constraints():
        first = exploration.space.objectives[0].metric
        value = figure_text(first, entry["best_without"]["figures"][first])
        lines.append(f"Without {entry['constraint']!r}, a {figure_words(first)} of {value} is there.")
    return lines


def _within_error(exploration: Exploration) -> list[str]:
    """Return which points the model cannot tell from the best."""
    lines = []
    many = len(exploration.space.objectives) > 1
    for lead in exploration.leads():
        if lead.points == 1:
            continue
        name = figure_words(lead.objective.partition(":")[0])
        error = f"{100 * lead.error:.2g} %"
        why = f"({error} on average)" if lead.validated else f"({error}, where such products were measured)"
        among = "all" if lead.front == lead.points else f"{lead.front:,} of them"
        front = f", {among} on the front" if many and lead.front > 1 else ""
        lines.append(
            f"By {name}, the first {lead.points:,} are within the model's error of the best {why}{front}: "
            "their order may be another."
        )
    if many and (near := exploration.near_front()):
        lines.append(
            f"{near:,} more {'point lies' if near == 1 else 'points lie'} within the model's error of the front."
        )
    return lines


def _how_many(finished: int, good: int, counts: Mapping[str, Any]) -> str:
    words = {
        "infeasible": "too large for the memory",
        "excluded": "excluded by a constraint on the parameters",
        "constraint": "not allowed by a constraint on figures",
        "invalid": "not possible as chip or workload",
        "failed": "failed",
    }
    others = [f"{counts[status]:,} {text}" for status, text in words.items() if counts.get(status)]
    rest = f"; {join_words(others, 'and')}" if others else ""
    return f"{good:,} of {finished:,} points run and are allowed{rest}."
