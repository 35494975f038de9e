"""Finds optimisers: every module of this package that defines ``OPTIMISER`` is one."""

from __future__ import annotations

from ipusim.registry import Registry
from ipusim.training.optimisers.spec import Optimiser

_OPTIMISERS = Registry("ipusim.training.optimisers", "OPTIMISER", Optimiser, {"registry", "spec"})

optimiser_names = _OPTIMISERS.names
"""The names of all optimisers, sorted."""

find_optimiser = _OPTIMISERS.find
"""``find_optimiser(name)``: the optimiser of that name, or ``KeyError``."""
