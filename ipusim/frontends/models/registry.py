"""Finds model sources: every module of this package that is not part of the machinery is one."""

from __future__ import annotations

import pkgutil
from functools import cache
from importlib import import_module
from pathlib import Path

from ipusim.frontends.models.source import ModelSource

_MACHINERY = frozenset({"bert", "builder", "names", "registry", "scale_sim_file", "source", "transformer_layer"})


@cache
def model_names() -> tuple[str, ...]:
    """Return the words that may stand after ``model:``, sorted, without importing any module."""
    found = {module.name for module in pkgutil.iter_modules([str(Path(__file__).parent)])}
    return tuple(sorted(name.replace("_", "-") for name in found - _MACHINERY))


@cache
def find_model(name: str) -> ModelSource:
    """Return the model source called `name`, importing its module on the first call.

    Raises
    ------
    KeyError
        There is no such model.
    """
    if name not in model_names():
        raise KeyError(name)
    source = import_module(f"ipusim.frontends.models.{name.replace('-', '_')}").MODEL
    assert isinstance(source, ModelSource)
    return source
