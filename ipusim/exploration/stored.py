"""What comes out of a results file, checked: disks lose bits, and others may have written to it."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ipusim.exploration.parameters import Choices, Parameter
from ipusim.exploration.space import Space
from ipusim.exploration.statuses import OK
from ipusim.exploration.store import Point, Row, Store

_NEEDED = (
    *("cycles", "seconds", "cycles_in_compute", "cycles_in_exchange", "cycles_in_sync", "flops"),
    *("max_tile_bytes", "total_bytes", "total_sram_bytes", "peak_seconds", "energy_j", "area_mm2"),
)
_MAY_BE_UNKNOWN = ("peak_seconds", "energy_j", "area_mm2")
_LARGEST = 1e100
"""Beyond any figure; products and sums of such are still finite."""


class Inspector:
    """Reads the simulations of the points of a space, and refuses those that no exploration can have written.

    Parameters
    ----------
    space : Space
    store : Store
    """

    def __init__(self, space: Space, store: Store) -> None:
        self._store = store
        self._n_members = len(space.members)
        self._choices = {each.name: _texts(each) for each in space.parameters}
        self._names = {*self._choices, *(each.name for each in space.derived)}

    def rows(self, points: Sequence[Point]) -> dict[str, Row]:
        """Return the simulations of some points by key.

        Raises
        ------
        BadInputError
            When a point or one of its simulations is damaged.
        """
        rows = self._store.rows(list(dict.fromkeys(key for point in points for key in point.keys)))
        for key, row in rows.items():
            if not _is_sound(row):
                raise self._store.damaged(f"the figures of simulation {key}")
        for point in points:
            for problem in self._problems(point, rows):
                raise self._store.damaged(f"point {point.position}: {problem}")
        return rows

    def _problems(self, point: Point, rows: Mapping[str, Row]) -> Iterator[str]:
        if point.status != OK:
            return
        if len(point.keys) != self._n_members or any(rows.get(key, {}).get("status") != OK for key in point.keys):
            yield "a simulation is missing"
        if set(point.values) != self._names:
            yield "its parameters are not those of the space"
        elif not all(self._is_value(name, value) for name, value in point.values.items()):
            yield "values that its parameters cannot have"

    def _is_value(self, name: str, value: Any) -> bool:
        texts = self._choices.get(name)
        if texts is not None:
            return json.dumps(value) in texts
        return isinstance(value, (bool, str)) or _is_number(value, negative=True)


def _texts(parameter: Parameter) -> frozenset[str] | None:
    """Return the values of a parameter as they are stored; None where there is no list of them."""
    if not isinstance(parameter.domain, Choices):
        return None
    return frozenset(json.dumps(value) for value in parameter.domain.values)


def _is_sound(row: Row) -> bool:
    """Tell whether the figures of a simulation are such as :mod:`ipusim.exploration.evaluation` makes."""
    figures = row["figures"]
    if row["status"] != OK:
        return _is_number(figures.get("violation", 0.0))
    for name in _NEEDED:
        value = figures.get(name)
        if not _is_number(value) and not (value is None and name in figures and name in _MAY_BE_UNKNOWN):
            return False
    parts = figures.get("energy_by_component")
    has_parts = isinstance(parts, dict) and all(map(_is_number, parts.values()))
    return (parts is None or has_parts) and _is_uncertainty(figures.get("uncertainty"))


def _is_uncertainty(found: Any) -> bool:
    if not isinstance(found, dict) or not _is_number(found.get("validated_share")):
        return False
    errors = [found.get(name) for name in ("mean_error", "worst_error", "kind_error")]
    if not all(each is None or _is_number(each) for each in errors) or (errors[0] is None) != (errors[1] is None):
        return False
    lists = [found.get(name) for name in ("outside", "outside_words")]
    return all(isinstance(each, list) and all(isinstance(word, str) for word in each) for each in lists)


def _is_number(value: Any, negative: bool = False) -> bool:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return False
    least = -_LARGEST if negative else 0
    return least <= value <= _LARGEST and (isinstance(value, int) or math.isfinite(value))
