"""One AMP vertex on one tile of a Bow."""

from __future__ import annotations

from ipusim.codelets.amp_1x1 import measured_line_cycles
from ipusim.validation.measured import amp_vertex_cycles
from ipusim.validation.points import Band, Model, Point, Source


def _point(rows: int, measured: int) -> Point:
    def predict(model: Model) -> float:
        chip = model.chip
        mode = next(mode for mode in chip.amp_modes if (mode.inputs, mode.partials) == ("float16", "float16"))
        load = mode.units * chip.amp_weight_bytes_per_unit // chip.amp_load_bytes_per_cycle
        slots, fill = float(mode.cycles_per_row), float(mode.worker_fill_slots)
        return measured_line_cycles(rows, 1, 1, 1, 1, load, slots, fill, False, True, chip.worker_contexts)

    return Point(f"{rows} rows", "rows", float(measured), (), predict)


SOURCE = Source(
    name="amp_vertex",
    title="one AMP vertex, float16",
    citation="tessellate-ipu, tile dot product [rows, 16] x [16, 16] on a Bow, timer overhead removed",
    quantity="cycles",
    unit="cycles",
    points=lambda: tuple(_point(rows, cycles) for rows, cycles in amp_vertex_cycles().items()),
    band=Band(mean_error=0.01, worst_error=0.02),
)
