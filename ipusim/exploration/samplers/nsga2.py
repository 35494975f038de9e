"""NSGA-II: a population that moves towards the Pareto front of several objectives."""

from __future__ import annotations

from ipusim.exploration.samplers.registry import DEFAULT_BUDGET, Sampler, Search
from ipusim.exploration.samplers.study import StudySearch, load_optuna
from ipusim.exploration.space import Space

_POPULATION = 32


def start(space: Space) -> Search:
    """Return a search in populations of 32, or of the whole budget if that is less."""
    optuna = load_optuna("nsga2")
    population = max(2, min(_POPULATION, space.budget or DEFAULT_BUDGET))
    return StudySearch(space, optuna.samplers.NSGAIISampler(population_size=population, seed=space.seed), population)


SAMPLER = Sampler("nsga2", "a population that moves towards the Pareto front", start, learns=True)
