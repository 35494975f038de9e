"""Finds model sources: every module of this package that is not part of the machinery is one."""

from __future__ import annotations

from ipusim.frontends.models.source import ModelSource
from ipusim.registry import Registry

_MODELS = Registry(
    "ipusim.frontends.models",
    "MODEL",
    ModelSource,
    {"bert", "builder", "names", "registry", "scale_sim_file", "source", "transformer_layer"},
    hyphens=True,
)

model_names = _MODELS.names
"""The words that may stand after ``model:``, sorted."""

find_model = _MODELS.find
"""``find_model(name)``: the model source of that name, or ``KeyError``."""
