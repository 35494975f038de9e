"""Adam, and with decay of weights AdamW."""

from __future__ import annotations

from math import sqrt

from ipusim.training.optimisers.spec import Optimiser, Options, Update


def _states(_options: Options) -> tuple[str, ...]:
    return ("mean", "variance")


def _update(call: Update) -> tuple[str, dict[str, str]]:
    """``m' = β1 m + (1 - β1) g``; ``v' = β2 v + (1 - β2) g²``; ``w' = w - η_t (m' / (√v' + ε) + λ w)``.

    The correction of the bias of both is part of the rate `η_t`, as the second form in the paper's section 2 has it;
    the decay is scaled with it.
    """
    gradient, options = call.gradient, call.options
    first, second = options["beta1"], options["beta2"]
    mean = call.add("add", call.scaled(call.states["mean"], first), call.scaled(gradient, 1.0 - first))
    square = call.scaled(call.add("square", gradient), 1.0 - second)
    variance = call.add("add", call.scaled(call.states["variance"], second), square)
    root = call.add("scale_shift", call.add("sqrt", variance), scale=1.0, shift=options["epsilon"])
    direction = call.add("div", mean, root)
    if options["weight_decay"]:
        direction = call.add("add", direction, call.scaled(call.weight, options["weight_decay"]))
    return call.descended(direction), {"mean": mean, "variance": variance}


def _rate(rate: float, step: int, options: Options) -> float:
    """Return the rate with the correction of the bias of the averages: ``η √(1 - β2^t) / (1 - β1^t)``."""
    correction = sqrt(1.0 - options["beta2"] ** (step + 1)) / (1.0 - options["beta1"] ** (step + 1))
    return float(rate * correction)


OPTIMISER = Optimiser(
    name="adam",
    options={"beta1": 0.9, "beta2": 0.999, "epsilon": 1e-8, "weight_decay": 0.0},
    states=_states,
    update=_update,
    rate=_rate,
    source="Kingma and Ba, Adam, arXiv 1412.6980; Loshchilov and Hutter, arXiv 1711.05101",
)
