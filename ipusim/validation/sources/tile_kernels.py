"""Kernels of networks on one tile: elementwise, sums, softmax, layer normalisation, copies."""

from __future__ import annotations

from typing import Any

from ipusim.codelets import copy_rows, scaled_add_1d
from ipusim.engine.timing import time_program
from ipusim.pipeline.compiling import compile_workload
from ipusim.validation.measured import Row, tile_kernel_rows
from ipusim.validation.points import Band, Model, Point, Source

LABELS = {"bias_gelu": "bias and GELU", "residual_layer_norm": "addition and layer_norm", "scaled_add": "scaled add"}


def kernel_workload(kernel: str, dtype: str, rows: int, width: int) -> dict[str, Any]:
    """Return the workload of a kernel on a matrix of so many rows."""
    x, vector = {"shape": [rows, width]}, {"shape": [width]}
    first: dict[str, Any] = {"op": "add", "inputs": ["x", "other"], "output": "sum"}
    norm: dict[str, Any] = {"op": "layer_norm", "output": "y"}
    gelu: dict[str, Any] = {"op": "gelu", "output": "y", "approximate": "tanh"}
    tensors: dict[str, Any]
    ops: list[dict[str, Any]]
    match kernel:
        case "add":
            tensors, ops = {"x": x, "other": x}, [first | {"output": "y"}]
        case "gelu":
            tensors, ops = {"x": x}, [gelu | {"inputs": ["x"]}]
        case "bias_gelu":
            tensors, ops = {"x": x, "other": vector}, [first, gelu | {"inputs": ["sum"]}]
        case "sum":
            tensors, ops = {"x": x}, [{"op": "sum", "inputs": ["x"], "axes": [0], "output": "y"}]
        case "softmax":
            tensors, ops = {"x": x}, [{"op": "softmax", "inputs": ["x"], "output": "y"}]
        case "layer_norm":
            tensors = {"x": x, "scale": vector, "shift": vector}
            ops = [norm | {"inputs": ["x", "scale", "shift"]}]
        case _:
            tensors = {"x": x, "other": x, "scale": vector, "shift": vector}
            ops = [first, norm | {"inputs": ["sum", "scale", "shift"]}]
    return {"name": kernel, "dtype": dtype, "tensors": tensors, "ops": ops, "outputs": ["y"]}


def _simulated(model: Model, row: Row) -> float:
    chip = model.chip.replace(n_tiles=1, tiles_per_exchange_bus=1, exchange_bus_sharing=False)
    workload = kernel_workload(row["kernel"], row["dtype"], int(row["rows"]), int(row["width"]))
    program = compile_workload(workload, chip).program
    assert program is not None
    return time_program(program, chip).cycles


def _vertex(model: Model, row: Row) -> float:
    """Return the cycles of a kernel that is one vertex and no operator: its formula, and the compute set's overhead."""
    chip, elements = model.chip, int(row["rows"]) * int(row["width"])
    if row["kernel"] == "copy":
        cycles = copy_rows.vertex_cycles(2 * elements, int(row["rows"]), int(chip.copy_bytes_per_cycle))
    else:
        cycles = scaled_add_1d.vertex_cycles(elements, 2, 3, False, chip.worker_contexts)
    return cycles + int(chip.compute_set_overhead_cycles)


def _point(row: Row) -> Point:
    predict = _vertex if row["kernel"] in ("copy", "scaled_add") else _simulated
    label = f"{LABELS.get(row['kernel'], row['kernel'])} {row['dtype']} {row['rows']} x {row['width']}"
    return Point(label, row["kernel"], float(row["cycles"]), (), lambda model: predict(model, row))


SOURCE = Source(
    name="tile_kernels",
    title="kernels of networks on one tile",
    citation="tests of tessellate-ipu on a Bow (timer removed); kernels of an independent compiler on ipu21",
    quantity="cycles",
    unit="cycles",
    points=lambda: tuple(_point(row) for row in tile_kernel_rows()),
    band=Band(mean_error=0.06, worst_error=0.50),
    note="GELU, sums of rows and GELU with a bias have two or three constants fitted to these points; the others have "
    "none. The kernels are one routine each, softmax and layer norm here four compute sets.",
    weak="the sum of 2 x 8, for which another vertex is quicker here (0.68); three rows after an addition (0.84: the "
    "routine takes one row after the other)",
)
