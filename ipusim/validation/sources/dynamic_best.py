"""Dynamic sparse matmuls at their best number of columns."""

from __future__ import annotations

from ipusim.validation.measured import POPSPARSE, Row, bow_rows, label_of, swept
from ipusim.validation.points import Band, Model, Point, Source
from ipusim.validation.sources.static_best import CURVES

BATCHES = tuple(4**power for power in range(1, 9))


def _point(rows: list[Row]) -> Point:
    """Return the point of one configuration, which several figures show: the mean of what was read off them."""
    row, cases = rows[0], swept(rows[0], BATCHES)

    def predict(model: Model) -> float | None:
        return max((rate for case in cases if (rate := model.rate(case))), default=None)

    measured = sum(float(each["value"]) for each in rows) / len(rows)
    return Point(label_of(row), label_of(row), measured, cases, predict)


def _points() -> tuple[Point, ...]:
    configurations: dict[str, list[Row]] = {}
    for curve in CURVES:
        for row in bow_rows(curve, "dynamic"):
            configurations.setdefault(label_of(row), []).append(row)
    return tuple(_point(rows) for rows in configurations.values())


SOURCE = Source(
    name="dynamic_best",
    title="dynamic sparse, best over n",
    citation=POPSPARSE,
    quantity="rate",
    unit="FLOP/s",
    points=_points,
    band=Band(mean_error=0.08),
)
