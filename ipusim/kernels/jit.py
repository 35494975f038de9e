"""Compile plain Python arithmetic with Numba, helpers included, with a cache that never goes stale.

Cost formulas are ordinary Python functions of integers, so that they can be read, tested and called without Numba. The
planner needs them millions of times: :func:`compiled` returns the Numba version of such a function and, before it, of
every ipusim function that it calls.

Numba's own cache looks only at the file of the function itself. The cache folder used here carries a digest of every
source file of the rooms that hold formulas, so that a change in a helper recompiles its callers.
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

from ipusim.errors import IpusimError
from ipusim.files.caches import used_folder
from ipusim.kernels.caching import use_checked_files

F = TypeVar("F", bound=Callable[..., Any])

_PACKAGE = __name__.partition(".")[0]

# What compiled formulas are made of, and what kernels are made of.
FORMULA_ROOMS = ("codelets", "cost", "kernels", "plan", "sparse")
KERNEL_ROOMS = ("kernels",)


def _numba(rooms: tuple[str, ...]) -> tuple[Any, bool]:
    """Return numba, with its cache in a folder for the present sources of some rooms, and whether that can be used."""
    numba: Any = import_module("numba")
    use_checked_files()
    folder = used_folder(cache_folder() / "numba", source_digest(*rooms))
    numba.config.CACHE_DIR = str(folder or "")
    return numba, folder is not None


def cache_folder() -> Path:
    """Return the folder for everything that ipusim can compute again (``IPUSIM_CACHE_DIR`` overrides it)."""
    return Path(os.environ.get("IPUSIM_CACHE_DIR") or platformdirs.user_cache_dir("ipusim"))


@cache
def source_digest(*rooms: str) -> str:
    """Return a digest of the names, sizes and times of the source files of some rooms, or of the whole package."""
    root = Path(__file__).parents[1]
    digest = hashlib.sha256()
    for room in rooms or ("",):
        for path in sorted((root / room).rglob("*.py")):
            status = path.stat()
            digest.update(f"{path.relative_to(root)} {status.st_size} {status.st_mtime_ns}\n".encode())
    return digest.hexdigest()[:16]


@cache
def compiled(function: F) -> F:
    """Return `function` compiled by Numba (``cache=True, nogil=True``, no fastmath, serial).

    Every global of the function that is itself a function of this package is compiled too.

    Raises
    ------
    ValueError
        One of them is outside the rooms whose sources the cache is keyed by.
    """
    return cast(F, _compiled(function, callee=False))


@cache
def _compiled(function: Any, callee: bool) -> Any:
    """Compile a function with its helpers; a `callee` is called by compiled code only and needs no wrappers."""
    package, _, inside = function.__module__.partition(".")
    if package == _PACKAGE and inside.partition(".")[0] not in FORMULA_ROOMS:
        raise ValueError(f"formulas are compiled from {', '.join(FORMULA_ROOMS)}, not from {function.__module__}")
    replaced = dict(function.__globals__)
    for name in _names(function.__code__):
        value = replaced.get(name)
        if isinstance(value, FunctionType) and value.__module__.partition(".")[0] == _PACKAGE:
            replaced[name] = _compiled(value, callee=True)
    clone = FunctionType(function.__code__, replaced, function.__name__, function.__defaults__, function.__closure__)
    clone.__module__ = function.__module__
    clone.__qualname__ = function.__qualname__
    clone.__doc__ = function.__doc__
    wrappers = {"no_cpython_wrapper": True, "no_cfunc_wrapper": True} if callee else {"no_cfunc_wrapper": True}
    numba, is_cached = _numba(FORMULA_ROOMS)
    return numba.njit(cache=is_cached and not callee, nogil=True, error_model="numpy", **wrappers)(clone)


def kernel(function: F) -> F:
    """Compile a kernel that Python calls: arrays and scalars in, results in the arrays.

    Unlike :func:`compiled` it leaves the globals of the function alone: constants of its module are frozen in, and what
    it calls is an :func:`inner_kernel` or an :func:`intrinsic`. Kernels depend on no source outside of this room.
    """
    numba, is_cached = _numba(KERNEL_ROOMS)
    options = {"cache": is_cached, "nogil": True, "error_model": "numpy", "no_cfunc_wrapper": True}
    return cast(F, numba.njit(**options)(function))


def inner_kernel(function: F) -> F:
    """Compile a function that only kernels call; it is cached as a part of them."""
    options = {"nogil": True, "error_model": "numpy", "no_cfunc_wrapper": True, "no_cpython_wrapper": True}
    numba, _ = _numba(KERNEL_ROOMS)
    return cast(F, numba.njit(**options)(function))


def intrinsic(function: Callable[..., Any]) -> Any:
    """Return an operation for kernels that `function` writes in LLVM's language (see ``numba.extending.intrinsic``).

    Raises
    ------
    IpusimError
        The processor is an x86 from before 2013, without the instructions that such operations are made of.
    """
    _numba(KERNEL_ROOMS)
    processor, features = host()
    missing = {"fma", "f16c"} - features
    if processor.startswith("x86") and missing:
        raise IpusimError(f"values cannot be computed on this processor, which lacks {' and '.join(sorted(missing))}")
    return import_module("numba.extending").intrinsic(function)


def host() -> tuple[str, frozenset[str]]:
    """Return the architecture that kernels are compiled for and its extensions, such as ``avx512f``."""
    target = import_module("numba.core.registry").cpu_target.target_context
    triple, _, features = target.codegen().magic_tuple()
    return triple, frozenset(name[1:] for name in str(features).split(",") if name.startswith("+"))


def _names(code: CodeType) -> set[str]:
    names = set(code.co_names)
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            names |= _names(constant)
    return names
