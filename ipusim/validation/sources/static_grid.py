"""Static sparse matmuls against dense ones, both from the model, with the cells that did not fit."""

from __future__ import annotations

from ipusim.validation.cases import DENSE, Case
from ipusim.validation.measured import POPSPARSE, Row, bow_rows, case_of, label_of
from ipusim.validation.points import Band, Model, Point, Source


def _point(row: Row) -> Point:
    case = case_of(row, int(row["n"]))
    dense = Case(DENSE, case.dtype, case.m, case.n)

    def predict(model: Model) -> float | None:
        sparse, baseline = model.cycles_in_benchmark(case), model.cycles(dense)
        return baseline / sparse if sparse and baseline else None

    measured = float(row["value"]) if row["value"] else None
    return Point(label_of(row), f"b {case.block_size}", measured, (case, dense), predict)


SOURCE = Source(
    name="static_grid",
    title="static sparse against dense, m = 512 to 8192",
    citation=POPSPARSE,
    quantity="speed-up",
    unit="",
    points=lambda: tuple(_point(row) for row in bow_rows("ipu_static_grid")),
    band=Band(mean_error=0.12, right_side=0.97),
    note="The reserve of 109 KiB a tile for code was set after seeing which cells did not fit.",
    weak="b = 1 at 4 and 16 columns (fast by up to 1.5); b = 16 at many columns (fast by 1.1 to 1.25); m = 512",
)
