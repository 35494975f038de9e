"""TPE: where good points were found before, more are looked for."""

from __future__ import annotations

import warnings

from ipusim.exploration.samplers.registry import Sampler, Search
from ipusim.exploration.samplers.study import StudySearch, load_optuna
from ipusim.exploration.space import Space

_GENERATION = 16


def start(space: Space) -> Search:
    """Return a search that asks for 16 points at once, spread by taking those under way for bad ones."""
    optuna = load_optuna("tpe")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        sampler = optuna.samplers.TPESampler(seed=space.seed, multivariate=True, constant_liar=True)
    return StudySearch(space, sampler, _GENERATION)


SAMPLER = Sampler("tpe", "more points where good ones were found", start, learns=True)
