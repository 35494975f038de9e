"""Element-wise sparse matmuls timed in a framework's loop."""

from __future__ import annotations

from ipusim.validation.measured import NOTEBOOK, Row, bow_rows, case_of, label_of
from ipusim.validation.points import Band, Point, Source


def _point(row: Row) -> Point:
    case = case_of(row, int(row["n"]))
    return Point(label_of(row), row["method"], float(row["value"]), (case,), lambda model: model.rate(case))


SOURCE = Source(
    name="wall_clock",
    title="element-wise sparse, b = 1, in a framework's loop",
    citation=NOTEBOOK,
    quantity="rate",
    unit="FLOP/s",
    points=lambda: tuple(_point(row) for row in bow_rows("SpMM.ipynb") if row["block_size"] == "1"),
    band=Band(mean_error=0.15, worst_error=0.30),
    note="The measurement includes the loop around the product, so that the model should be a little fast. Rows of "
    "blocks of 16 are left out: something outside the product dominates them at every density.",
)
