"""Stochastic gradient descent, with momentum, Nesterov's or not, and decay of weights."""

from __future__ import annotations

from ipusim.training.optimisers.spec import Optimiser, Options, Update


def _states(options: Options) -> tuple[str, ...]:
    return ("momentum",) if options["momentum"] else ()


def _update(call: Update) -> tuple[str, dict[str, str]]:
    """``m' = μ m + g``; ``w' = w - η m'``, or of Nesterov ``w' = w - η (g + μ m')``."""
    gradient, options = call.gradient, call.options
    if options["weight_decay"]:
        gradient = call.add("add", gradient, call.scaled(call.weight, options["weight_decay"]))
    if not options["momentum"]:
        return call.descended(gradient), {}
    momentum = call.add("add", call.scaled(call.states["momentum"], options["momentum"]), gradient)
    direction = momentum
    if options["nesterov"]:
        direction = call.add("add", gradient, call.scaled(momentum, options["momentum"]))
    return call.descended(direction), {"momentum": momentum}


def _rate(rate: float, _step: int, _options: Options) -> float:
    return rate


OPTIMISER = Optimiser(
    name="sgd",
    options={"momentum": 0.0, "nesterov": 0.0, "weight_decay": 0.0},
    states=_states,
    update=_update,
    rate=_rate,
    source="Sutskever et al., On the importance of initialization and momentum in deep learning, 2013",
)
