"""Optuna's samplers as searches: points are asked for and told about in generations of a fixed size."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from ipusim.errors import BadInputError, Problem
from ipusim.exploration.parameters import Choices
from ipusim.exploration.samplers.registry import DEFAULT_BUDGET, Choice, Judged
from ipusim.exploration.space import Space

if TYPE_CHECKING:
    from optuna.distributions import BaseDistribution
    from optuna.samplers import BaseSampler
    from optuna.trial import Trial

_WORST = 1e300


def load_optuna(name: str) -> Any:
    """Return the module ``optuna``, silenced.

    Raises
    ------
    BadInputError
        When it is not installed.
    """
    try:
        import optuna
    except ImportError:
        hint = "pip install 'ipusim[explore]'"
        raise BadInputError([Problem("sampler", 0, 0, "", f"{name} needs the package optuna", hint)]) from None
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    return optuna


class StudySearch:
    """A search by one of Optuna's samplers.

    Parameters
    ----------
    space : Space
    sampler : BaseSampler
        Seeded.
    generation : int
        Points asked for before any of them is told about.
    """

    def __init__(self, space: Space, sampler: BaseSampler, generation: int) -> None:
        import optuna

        self._study = optuna.create_study(directions=["minimize"] * len(space.objectives), sampler=sampler)
        self._space = space
        self._generation = generation
        self._distributions = {each.name: _distribution(each.domain) for each in space.parameters}
        self._open: list[Trial] = []

    def generations(self) -> Iterator[Sequence[Choice]]:
        """Yield generations until the budget is used up."""
        left = self._space.budget or DEFAULT_BUDGET
        while left > 0:
            self._open = [self._study.ask(self._distributions) for _ in range(self._generation)]
            yield [self._choice(trial) for trial in self._open[:left]]
            left -= self._generation

    def _choice(self, trial: Trial) -> Choice:
        return {
            each.name: each.domain.values[trial.params[each.name]]
            if isinstance(each.domain, Choices)
            else trial.params[each.name]
            for each in self._space.parameters
        }

    def tell(self, judged: Sequence[Judged]) -> None:
        """Tell Optuna about the last generation; points that are not allowed are told with how far they are off."""
        for trial, each in zip(self._open, judged, strict=False):
            trial.set_constraint("allowed", each.violation)
            self._study.tell(trial, each.costs or [_WORST] * len(self._space.objectives))


def _distribution(domain: Any) -> BaseDistribution:
    """Return the distribution of a parameter: the place in its list of values, which keeps their order, or a number."""
    from optuna.distributions import FloatDistribution, IntDistribution

    if isinstance(domain, Choices):
        return IntDistribution(0, len(domain.values) - 1)
    return FloatDistribution(domain.low, domain.high, log=domain.log)
