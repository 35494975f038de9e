"""The result of an exploration, as an object and as a document."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ipusim.exploration.judging import Verdict
from ipusim.exploration.keys import model_key
from ipusim.exploration.leads import Lead, leads, near_front
from ipusim.exploration.pareto import pareto_front
from ipusim.exploration.samplers.registry import DEFAULT_BUDGET, find_sampler
from ipusim.exploration.sensitivity import Effect, effect_of
from ipusim.exploration.space import Space
from ipusim.exploration.store import Store
from ipusim.exploration.summary import summary
from ipusim.exploration.survey import Survey, survey, verdicts
from ipusim.pipeline.limits import limits
from ipusim.pipeline.run import versions
from ipusim.report.display import Displayed

SCHEMA = "ipusim-exploration-1"

MOST_REASONS = 10

_MOST_IN_CLOUD = 2000


@dataclass(frozen=True)
class Exploration(Displayed):
    """Finished points of a space, and what follows from them.

    Attributes
    ----------
    space : Space
    path : Path
        The store.
    key : str
        Key of the space in it.
    interrupted : bool
        Whether the user stopped it.
    """

    space: Space
    path: Path
    key: str
    interrupted: bool

    @property
    def n_wanted(self) -> int:
        """Number of points that the search consists of."""
        size, budget = self.space.grid_size, self.space.budget
        if find_sampler(self.space.sampler).needs_choices and size is not None:
            return size if budget is None else min(size, budget)
        return budget or DEFAULT_BUDGET

    def verdicts(self) -> Iterator[Verdict]:
        """Yield what became of every finished point, in the order of the sampler."""
        with closing(Store(self.path, writes=False)) as store:
            yield from verdicts(self.space, store, self.key, 0, self.n_wanted)

    def rows(self) -> Iterator[dict[str, Any]]:
        """Yield one flat dict per finished point, all with the same keys: ready for a table or a data frame."""
        from ipusim.exploration.table import flat_row

        return (flat_row(self.space, verdict) for verdict in self.verdicts())

    @cached_property
    def survey(self) -> Survey:
        """What the answers are made of."""
        return survey(self.space, self.verdicts())

    @cached_property
    def _front_indices(self) -> NDArray[np.int64]:
        return pareto_front(self.survey.costs(self.space))

    @cached_property
    def _front(self) -> list[dict[str, Any]]:
        return self._listed([self.survey.positions[index] for index in self._front_indices])

    def pareto(self) -> list[dict[str, Any]]:
        """Return the points that no other beats in every objective, by the first objective."""
        return self._front

    def top(self, count: int = 10) -> list[dict[str, Any]]:
        """Return the points that are best in the first objective."""
        costs = self.survey.costs(self.space)
        order = sorted(range(len(costs)), key=lambda index: (*costs[index].tolist(), self.survey.positions[index]))
        return self._listed([self.survey.positions[index] for index in order[:count]])

    def best(self) -> dict[str, dict[str, Any]]:
        """Return the best point of each objective."""
        costs = self.survey.costs(self.space)
        if not len(costs):
            return {}
        # of equally good points, the one that is best in the other objectives
        orders = [np.lexsort((*costs.T[::-1], costs[:, place])) for place in range(costs.shape[1])]
        indices = [int(order[0]) for order in orders]
        found = {point["position"]: point for point in self._listed([self.survey.positions[each] for each in indices])}
        return {
            objective.text: found[self.survey.positions[index]]
            for objective, index in zip(self.space.objectives, indices, strict=True)
        }

    def leads(self) -> list[Lead]:
        """Return for each objective that depends on time how many points are as good as the best, within the error."""
        known = self.survey
        errors, validated = np.array(known.errors, dtype=np.float64), np.array(known.validated, dtype=bool)
        return leads(self.space.objectives, known.costs(self.space), errors, validated, self._front_indices)

    def near_front(self) -> int:
        """Return how many points off the Pareto front are no further from it than the model may be off."""
        errors = np.array(self.survey.errors, dtype=np.float64)
        return near_front(self.space.objectives, self.survey.costs(self.space), errors, self._front_indices)

    def price_of_constraints(self) -> list[dict[str, Any]]:
        """Return for each constraint on figures the best point that breaks it first, if no allowed one is as good."""
        found = []
        costs = self.survey.costs(self.space)
        least = float(costs[:, 0].min()) if len(costs) else math.inf
        for reason, (cost, position) in sorted(self.survey.loosened.items()):
            if cost >= least:
                continue
            (point,) = self._listed([position])
            found.append({"constraint": reason.removeprefix("not "), "best_without": point})
        return found

    def sensitivity(self) -> dict[str, list[Effect]]:
        """Return for each objective what each parameter does to it, the strongest first."""
        costs = self.survey.costs(self.space)
        found: dict[str, list[Effect]] = {}
        for place, objective in enumerate(self.space.objectives):
            figures = costs[:, place] * (-1 if objective.descending else 1)
            effects = [
                effect_of(name, values, figures, objective.descending) if len(figures) else None
                for name, values in self.survey.values.items()
            ]
            found[objective.text] = sorted((each for each in effects if each), key=lambda each: -each.share)
        return found

    def status(self) -> dict[str, Any]:
        """Return how far it is, quickly."""
        with closing(Store(self.path, writes=False)) as store:
            finished = store.n_points(self.key, 0, self.n_wanted)
            older, other = store.others(self.key, self.space.name, model_key())
            simulations, seconds = store.seconds()
        return {
            "space": self.space.name,
            "store": str(self.path),
            "finished": finished,
            "wanted": self.n_wanted,
            "simulations_in_store": simulations,
            "processor_seconds": seconds,
            "points_of_other_versions": older,
            "points_of_other_settings": other,
        }

    def _listed(self, positions: list[int]) -> list[dict[str, Any]]:
        from ipusim.exploration.table import nested_row

        wanted = dict.fromkeys(positions)
        with closing(Store(self.path, writes=False)) as store:
            found = {
                position: nested_row(self.space, verdict)
                for position in wanted
                for verdict in verdicts(self.space, store, self.key, position, 1)
            }
        return [found[position] for position in positions]

    def to_dict(self) -> dict[str, Any]:
        """Return the exploration as a document: plain values, ready for JSON."""
        known = self.survey
        return {
            "schema": SCHEMA,
            "space": self.space.name,
            "description": self.space.description,
            "chip": self.space.chip.name,
            "workloads": [{"name": each.label, "weight": each.weight} for each in self.space.members],
            "options": {"sampler": self.space.sampler, "seed": self.space.seed, "budget": self.space.budget},
            "parameters": [each.name for each in self.space.parameters],
            "derived": [each.name for each in self.space.derived],
            "constraints": [each.text for each in self.space.constraints],
            "objectives": [each.text for each in self.space.objectives],
            "versions": versions(),
            "interrupted": self.interrupted,
            "finished": sum(known.counts.values()),
            "wanted": self.n_wanted,
            "counts": dict(sorted(known.counts.items())),
            "reasons": [
                {"status": status, "reason": reason, "points": count}
                for (status, reason), count in known.reasons.most_common(MOST_REASONS)
            ],
            "without_figures": dict(sorted(known.without_figures.items())),
            "pareto": self.pareto(),
            "best": self.best(),
            "price_of_constraints": self.price_of_constraints(),
            "sensitivity": {
                objective: [
                    {
                        "parameter": each.parameter,
                        "share": each.share,
                        "best": each.best,
                        "worst": each.worst,
                        "ratio": each.ratio,
                    }
                    for each in effects
                ]
                for objective, effects in self.sensitivity().items()
            },
            "cloud": self.cloud(),
            "cloud_bands": self.survey.bands[:: self._thinning()],
            "leads": [each.to_dict() for each in self.leads()],
            "near_front": self.near_front(),
            "uncertainty": {
                "points": known.together.n_results,
                "validated_points": known.together.n_validated,
                **known.together.to_dict(),
            },
            "summary": summary(self),
            **limits(self.space.chip),
        }

    def cloud(self, most: int = _MOST_IN_CLOUD) -> list[list[float]]:
        """Return the objectives of all allowed points (evenly thinned out to `most`), for plots."""
        return self.survey.figures[:: self._thinning(most)]

    def _thinning(self, most: int = _MOST_IN_CLOUD) -> int:
        return max(1, -(-len(self.survey.figures) // most))

    def to_html(self) -> str:
        """Return the exploration as one HTML page that needs nothing else."""
        from ipusim.report.html.explore import render_exploration_page

        return render_exploration_page(self.to_dict())

    def display_texts(self) -> tuple[str, str]:
        """Return the report as plain text and as a piece of HTML without scripts."""
        from ipusim.report.explore import render_exploration
        from ipusim.report.html.explore import render_exploration_part

        document = self.to_dict()
        return render_exploration(document), render_exploration_part(document)
