"""Simulator of IPU-like many-tile chips: cycles, memory and values of dense and sparse workloads.

>>> import ipusim
>>> run = ipusim.simulate("quickstart", chip="bow")
>>> run.cycles, run.fraction_of_peak  # doctest: +SKIP

Names are imported when they are first used: ``import ipusim`` itself costs nothing.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ipusim.chip.load import load_chip
    from ipusim.chip.model import Chip
    from ipusim.comparison import Comparison, compare
    from ipusim.errors import BadInputError, IpusimError
    from ipusim.exploration import Exploration, explore
    from ipusim.frontends.workload import Workload, load_workload
    from ipusim.pipeline import Compiled, Run, simulate
    from ipusim.pipeline import compile_workload as compile
    from ipusim.validation import Validation, validate

__version__ = "0.1.0"

__all__ = [
    "BadInputError",
    "Chip",
    "Comparison",
    "Compiled",
    "Exploration",
    "IpusimError",
    "Run",
    "Validation",
    "Workload",
    "compare",
    "compile",
    "explore",
    "load_chip",
    "load_workload",
    "simulate",
    "validate",
]

_PLACES = {
    "BadInputError": "ipusim.errors:BadInputError",
    "Chip": "ipusim.chip.model:Chip",
    "Comparison": "ipusim.comparison:Comparison",
    "Compiled": "ipusim.pipeline:Compiled",
    "Exploration": "ipusim.exploration:Exploration",
    "IpusimError": "ipusim.errors:IpusimError",
    "Run": "ipusim.pipeline:Run",
    "Validation": "ipusim.validation:Validation",
    "Workload": "ipusim.frontends.workload:Workload",
    "compare": "ipusim.comparison:compare",
    "compile": "ipusim.pipeline:compile_workload",
    "explore": "ipusim.exploration:explore",
    "load_chip": "ipusim.chip.load:load_chip",
    "load_workload": "ipusim.frontends.workload:load_workload",
    "simulate": "ipusim.pipeline:simulate",
    "validate": "ipusim.validation:validate",
}


def __getattr__(name: str) -> Any:
    """Import a public name at its first use."""
    if name not in _PLACES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    module, _, attribute = _PLACES[name].partition(":")
    value = getattr(import_module(module), attribute)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted([*__all__, "__version__"])
