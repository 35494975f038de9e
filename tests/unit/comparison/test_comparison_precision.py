"""Formats beside densities: which tensors change, speed-ups over float16, measured errors, and where they are shown."""

import csv
import io

import pytest

from ipusim.comparison import compare
from ipusim.comparison.base import condition_workload, load_base
from ipusim.comparison.points import Condition
from ipusim.frontends.workload import load_workload
from ipusim.report.compare import render_comparison
from ipusim.report.compare_csv import comparison_csv
from ipusim.report.compare_precision import precision_table

E4M3 = "float8_e4m3fnuz"
LAYER = {
    "name": "layer",
    "chip": "c600",
    "tensors": {"w": {"shape": [64, 64]}, "x": {"shape": [64, 32]}, "b": {"shape": [64, 1]}},
    "ops": [
        {"op": "matmul", "inputs": ["w", "x"], "output": "h", "partials": "float16"},
        {"op": "add", "inputs": ["h", "b"], "output": "y"},
    ],
}
SETTINGS = ("chip.n_tiles=16",)


@pytest.mark.parametrize(
    ("dtype", "formats", "partials"),
    [
        (E4M3, {"w": E4M3, "x": E4M3, "b": None}, None),
        ("float32", {"w": None, "x": None, "b": None}, "float32"),
        ("bfloat16", {"w": None, "x": None, "b": None}, "float32"),
    ],
)
def test_the_tensors_that_change(dtype, formats, partials):
    base = load_base(load_workload(LAYER), ())
    changed = condition_workload(base, Condition(None, None, dtype))
    assert {name: entry.dtype for name, entry in changed.tensors.items()} == formats
    assert changed.dtype == ("float16" if dtype == E4M3 else dtype)
    assert changed.document.data["ops"][0].get("partials") == partials
    assert changed.tensors["w"].scale == ("auto" if dtype == E4M3 else 1.0)


def test_one_table_of_formats_and_densities():
    found = compare(
        LAYER, dtypes=("float16", "float32", E4M3), densities=(0.25,), block_sizes=(16,), modes=("static",),
        settings=SETTINGS, workers=1, execute=True,
    )  # fmt: skip
    half, single, quarter = found.baselines
    assert half.speedup_over_float16 == half.speedup == 1.0
    assert quarter.speedup == 1.0
    assert quarter.speedup_over_float16 == half.outcome.cycles / quarter.outcome.cycles
    errors = [cell.outcome.rms_relative_error for cell in (single, half, quarter)]
    assert errors == sorted(errors)
    assert errors[0] < 1e-6
    assert 1e-4 < errors[1] < 1e-3
    assert 0.02 < errors[2] < 0.06
    sparse, _, missing = found.cells
    assert sparse.outcome.rms_relative_error < 1e-3
    assert missing.outcome.status == "bad_input"
    assert "no vertex multiplies sparse tensors of 8 bits" in missing.outcome.reason

    document = found.to_dict()
    row = list(csv.DictReader(io.StringIO(comparison_csv(document))))[2]
    assert float(row["speedup_over_float16"]) == quarter.speedup_over_float16
    assert float(row["rms_relative_error"]) == errors[2]
    text = render_comparison(document, 80)
    assert all(len(line) <= 80 for line in text.splitlines())
    assert "\nPrecision\n" in text
    assert f"{errors[2]:.1e}" in text
    page = found.to_html()
    assert "Precision beside sparsity" in page
    assert f'<td class="n">{errors[2]:.1e}</td>' in page


def test_processes_execute_as_one_process_does():
    one, two = (
        compare(
            LAYER, dtypes=("float16", "float32"), densities=(0.25,), block_sizes=(16,), modes=("static", "dynamic"),
            settings=SETTINGS, workers=workers, execute=True,
        ).to_dict()
        for workers in (1, 2)
    )  # fmt: skip
    assert {cell["status"] for cell in two["cells"]} == {"ok"}
    assert all(cell["rms_relative_error"] > 0 for cell in two["cells"])
    assert one == two


def test_one_format_needs_no_table():
    found = compare(LAYER, densities=(0.25,), block_sizes=(16,), modes=("static",), settings=SETTINGS, workers=1)
    assert precision_table(found.to_dict()) == []
    assert found.baselines[0].outcome.rms_relative_error is None
    assert "Precision beside sparsity" not in found.to_html()
