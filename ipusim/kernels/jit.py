"""Compile plain Python arithmetic with Numba, helpers included, with a cache that never goes stale.

Cost formulas are ordinary Python functions of integers, so that they can be read, tested and called without Numba. The
planner needs them millions of times: :func:`compiled` returns the Numba version of such a function and, before it, of
every ipusim function that it calls.

Numba's own cache looks only at the file of the function itself. The cache folder used here carries a digest of every
source file of the package, so that a change in a helper recompiles its callers.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from functools import cache
from importlib import import_module
from pathlib import Path
from types import CodeType, FunctionType
from typing import Any, TypeVar, cast

import platformdirs

F = TypeVar("F", bound=Callable[..., Any])

_PACKAGE = __name__.partition(".")[0]


@cache
def _numba() -> Any:
    numba: Any = import_module("numba")
    numba.config.CACHE_DIR = str(cache_folder() / "numba" / source_digest())
    return numba


def cache_folder() -> Path:
    """Return the folder for everything that ipusim can compute again (``IPUSIM_CACHE_DIR`` overrides it)."""
    return Path(os.environ.get("IPUSIM_CACHE_DIR") or platformdirs.user_cache_dir("ipusim"))


@cache
def source_digest() -> str:
    """Return a digest of the names, sizes and times of the package's source files."""
    root = Path(__file__).parents[1]
    digest = hashlib.sha256()
    for path in sorted(root.rglob("*.py")):
        status = path.stat()
        digest.update(f"{path.relative_to(root)} {status.st_size} {status.st_mtime_ns}\n".encode())
    return digest.hexdigest()[:16]


@cache
def compiled(function: F) -> F:
    """Return `function` compiled by Numba (``cache=True, nogil=True``, no fastmath, serial).

    Every global of the function that is itself a function of this package is compiled too.
    """
    replaced = dict(function.__globals__)
    for name in _names(function.__code__):
        value = replaced.get(name)
        if isinstance(value, FunctionType) and value.__module__.partition(".")[0] == _PACKAGE:
            replaced[name] = compiled(value)
    clone = FunctionType(function.__code__, replaced, function.__name__, function.__defaults__, function.__closure__)
    clone.__module__ = function.__module__
    clone.__qualname__ = function.__qualname__
    clone.__doc__ = function.__doc__
    return cast(F, _numba().njit(cache=True, nogil=True, error_model="numpy")(clone))


def _names(code: CodeType) -> set[str]:
    names = set(code.co_names)
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            names |= _names(constant)
    return names
