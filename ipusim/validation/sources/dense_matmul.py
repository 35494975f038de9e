"""Dense matmuls over the columns of the right operand."""

from __future__ import annotations

from ipusim.validation.measured import POPSPARSE, Row, bow_rows, case_of, label_of
from ipusim.validation.points import Band, Point, Source


def _point(row: Row) -> Point:
    case = case_of(row, int(row["n"]))
    return Point(
        label_of(row), f"{row['dtype']} {row['m']}", float(row["value"]), (case,), lambda model: model.rate(case)
    )


SOURCE = Source(
    name="dense_matmul",
    title="dense matmul, m = k = 1024 to 8192",
    citation=POPSPARSE,
    quantity="rate",
    unit="FLOP/s",
    points=lambda: tuple(_point(row) for row in bow_rows("dense_ipu_gpu")),
    band=Band(mean_error=0.03, worst_error=0.12),
)
