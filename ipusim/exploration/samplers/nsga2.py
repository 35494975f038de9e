"""NSGA-II: a population that moves towards the Pareto front of several objectives."""

from __future__ import annotations

from ipusim.exploration.samplers.registry import Sampler, Search
from ipusim.exploration.samplers.study import StudySearch, load_optuna
from ipusim.exploration.space import Space

_POPULATION = 32


def start(space: Space) -> Search:
    """Return a search in populations of 32."""
    optuna = load_optuna("nsga2")
    return StudySearch(space, optuna.samplers.NSGAIISampler(population_size=_POPULATION, seed=space.seed), _POPULATION)


SAMPLER = Sampler("nsga2", "a population that moves towards the Pareto front", start, learns=True)
