"""Things that are found by name because each is one module of a package: operators, codelets, formats and the like."""

from __future__ import annotations

import pkgutil
from collections.abc import Iterable
from importlib import import_module
from typing import Generic, TypeVar

T = TypeVar("T")


class Registry(Generic[T]):
    """The things of one package, each under the name of its module; a module is imported when it is first looked up.

    Parameters
    ----------
    package : str
        The package, by its full name.
    attribute : str
        What a module calls the thing it defines, such as ``OP``.
    kind : type
        What each of them is.
    machinery : iterable of str
        The modules of the package that define none.
    hyphens : bool
        Names are written with hyphens where the modules have underscores.
    """

    def __init__(
        self, package: str, attribute: str, kind: type[T], machinery: Iterable[str] = (), *, hyphens: bool = False
    ) -> None:
        self._package = package
        self._attribute = attribute
        self._kind = kind
        self._machinery = frozenset(machinery)
        self._hyphens = hyphens
        self._modules: dict[str, str] = {}
        self._found: dict[str, T] = {}

    def names(self) -> tuple[str, ...]:
        """Return the names of all, sorted, without importing any of their modules."""
        if not self._modules:
            paths = import_module(self._package).__path__
            modules = {module.name for module in pkgutil.iter_modules(paths)} - self._machinery
            named = {module.replace("_", "-") if self._hyphens else module: module for module in modules}
            self._modules = dict(sorted(named.items()))
        return tuple(self._modules)

    def find(self, name: str) -> T:
        """Return the one called `name`.

        Raises
        ------
        KeyError
            There is none; the message names those that exist.
        """
        if name not in self._found:
            if name not in self.names():
                raise KeyError(f"no {name!r} in {self._package}; there are {', '.join(self.names())}")
            found = getattr(import_module(f"{self._package}.{self._modules[name]}"), self._attribute)
            assert isinstance(found, self._kind)
            self._found[name] = found
        return self._found[name]
