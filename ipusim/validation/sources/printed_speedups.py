"""Speed-ups over dense that the benchmark prints, each method at its best number of columns."""

from __future__ import annotations

from ipusim.validation.cases import DENSE, STATIC, Case
from ipusim.validation.measured import METHODS, Row, bow_rows, label_of, swept
from ipusim.validation.points import Band, Model, Point, Source
from ipusim.validation.sources import dynamic_best, static_best

DENSE_BATCHES = (4, 16, 64, 256, 1024, 4096, 16384)


def _point(row: Row) -> Point:
    is_static = METHODS[row["method"]] == STATIC
    cases = swept(row, static_best.BATCHES if is_static else dynamic_best.BATCHES)
    dense = tuple(Case(DENSE, cases[0].dtype, cases[0].m, n) for n in DENSE_BATCHES)

    def predict(model: Model) -> float | None:
        best = max((rate for case in cases if (rate := model.rate(case, in_benchmark=is_static))), default=None)
        baseline = max((rate for case in dense if (rate := model.rate(case))), default=None)
        return best / (baseline * float(cases[0].density)) if best and baseline else None

    return Point(label_of(row), row["method"], float(row["value"]), cases + dense, predict)


SOURCE = Source(
    name="printed_speedups",
    title="sparse against dense, m = 4096, d = 1/16, best over n",
    citation="Analysis notebook of graphcore-research/sparsity-benchmarks, printed to one decimal",
    quantity="speed-up",
    unit="",
    points=lambda: tuple(_point(row) for row in bow_rows("static_vs_dynamic")),
    band=Band(mean_error=0.15, worst_error=0.30, right_side=1.0),
)
