"""Points that wait for their simulations."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from ipusim.exploration.statuses import FAILED, INFEASIBLE
from ipusim.exploration.store import Point, Row


class Pending:
    """Knows which points are finished with which simulation.

    Parameters
    ----------
    points : iterable of Point
    """

    def __init__(self, points: Iterable[Point]) -> None:
        self._waiting: dict[str, list[Point]] = {}
        self._rows: dict[str, Row] = {}
        for point in points:
            for key in dict.fromkeys(point.keys):
                self._waiting.setdefault(key, []).append(point)

    @property
    def keys(self) -> list[str]:
        """The simulations that are still to come."""
        return list(self._waiting)

    def arrived(self, rows: Mapping[str, Row]) -> list[Point]:
        """Return the points that are finished with these simulations."""
        concerned: dict[int, Point] = {}
        for key, row in rows.items():
            self._rows[key] = row
            concerned |= {point.position: point for point in self._waiting.pop(key, ())}
        return [self._finished(point) for point in concerned.values() if all(key in self._rows for key in point.keys)]

    def _finished(self, point: Point) -> Point:
        """Return a point with what its simulations came to."""
        found = [self._rows[key] for key in point.keys]
        for status in (FAILED, INFEASIBLE):
            for row in found:
                if row["status"] == status:
                    return Point(point.position, point.values, point.keys, status, row["reason"])
        return point
