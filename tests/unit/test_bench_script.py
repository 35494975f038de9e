"""The parts of scripts/bench.py that measure nothing: growth, comparison with earlier figures, tables."""

import importlib
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture
def bench(monkeypatch):
    """Return what imports a module of the benches."""
    monkeypatch.syspath_prepend(str(ROOT / "scripts"))
    return lambda name: importlib.import_module(f"benchmarks.{name}")


def _document(calibration, **figures):
    return {"schema": "ipusim-bench-1", "calibration_s": calibration, "figures": {"some": figures}}


def test_exponent_is_the_slope_of_the_logarithms(bench):
    exponent = bench("measuring").exponent
    assert exponent({size: 3 * size**2 for size in (1, 10, 70)}) == pytest.approx(2)
    assert exponent({10: 5.0, 1000: 5.0}) == pytest.approx(0)


@pytest.mark.parametrize(
    ("label", "now", "better"),
    [
        ("timing (ms)", 10.0, 2.0),  # as long as before, on a machine that takes twice as long
        ("plans per second", 10.0, 2.0),
        ("peak memory (MiB)", 5.0, 2.0),
        ("speed relative to numpy", 5.0, 0.5),
        ("exponent over tiles", 5.0, None),
        ("memory for one more of the ops (KiB)", 5.0, 2.0),
        ("memory for one more of the points (KiB)", -1.0, None),
        ("never (s)", 0.0, None),
    ],
)
def test_figures_are_compared_as_if_on_the_same_machine(bench, label, now, better):
    (change,) = bench("history").changes(_document(0.2, **{label: now}), _document(0.1, **{label: 10.0, "gone": 1}))
    assert (change.bench, change.label, change.before, change.now) == ("some", label, 10.0, now)
    assert change.better == better


def test_only_figures_of_the_script_are_read(bench, tmp_path):
    read = bench("history").read_figures
    file = tmp_path / "figures.json"
    file.write_text(json.dumps(_document(0.1)))
    assert read(file)["calibration_s"] == 0.1
    for text in ("{}", "[]", "nothing"):
        file.write_text(text)
        with pytest.raises(ValueError, match=r"no figures|Expecting"):
            read(file)
    assert read(ROOT / "tests" / "data" / "bench.json")["figures"]


def test_tables(bench):
    tables, history = bench("tables"), bench("history")
    assert [tables.number(value) for value in (0, 0.012345, 12.345, 12345.6)] == ["0", "0.0123", "12.3", "12,346"]
    machine = {"cores": 2, "architecture": "x86_64", "python": "3.11.0"}
    document = _document(0.1, **{"a (s)": 1.0, "b, peak (MiB)": 2.0, "c": 3.0})
    document |= {"machine": machine, "skipped": {"peer": "no network"}}
    lines = tables.markdown_table(document, {"some": "Something"}).splitlines()
    assert lines[0].startswith("One run on 2 cores (x86_64, Python 3.11.0)")
    assert lines[2:4] == ["| what | speed | memory and sizes |", "|---|---|---|"]
    assert lines[4] == "| Something | a (s): 1<br>c: 3 | b, peak (MiB): 2 |"
    assert lines[-1] == "peer was skipped: no network"
    assert tables.markdown_table(document | {"clock_s": 300.0}, {}).startswith("One run of 5 minutes on 2 cores")
    shown = tables.changes_table([history.Change("some", "a (s)", 2.0, 1.0, 2.0)], 1.0)
    assert shown.splitlines()[-1].split() == ["a", "(s)", "2", "1", "2.00x"]
    assert all(len(line) <= 80 for line in tables.text_table("some", "it", {"a": 1.0}).splitlines())


def test_the_networks_in_numpy_and_scipy_learn_the_same(bench):
    network = bench("digits_in_numpy")
    random = np.random.default_rng(1)
    x = random.random((64, 64), dtype=np.float32)
    targets = np.eye(10, dtype=np.float32)[random.integers(0, 10, 64)]
    whole = network.initial_weights((1, 1, 1))
    sparse, dense = network.sparse_step(whole), network.dense_step([weight.copy() for weight in whole])
    for _ in range(5):
        assert sparse(x, targets) == pytest.approx(dense(x, targets), rel=1e-3)
    few = network.initial_weights((0.1, 0.1, 0.5))
    assert np.count_nonzero(few[0]) == pytest.approx(0.1 * few[0].size, rel=0.1)
    step = network.sparse_step(few)
    losses = [step(x, targets) for _ in range(60)]
    assert losses[-1] < losses[0]


def test_a_table_is_replaced_between_its_marks(bench):
    tables = bench("tables")
    page = f"before\n{tables.BEGIN}old\n{tables.END}after\n"
    assert tables.with_table(page, "new") == f"before\n{tables.BEGIN}new\n{tables.END}after\n"
    assert tables.with_table(tables.with_table(page, "x"), "old") == page
    for wrong in ("nothing", tables.BEGIN, tables.END):
        with pytest.raises(ValueError, match="around a table"):
            tables.with_table(wrong, "new")
    readme = (ROOT / "README.md").read_text()
    assert tables.with_table(readme, "new") != readme


def test_memory_is_that_of_a_process_of_its_own(bench, tmp_path):
    ballast = np.ones(2**26)  # 512 MiB that are not the part's
    for name in ("left", "right"):
        np.save(tmp_path / f"{name}.npy", ballast[:4].reshape(2, 2))
    files = (str(tmp_path / "left.npy"), str(tmp_path / "right.npy"))
    part = bench("measuring").run_part(bench("peers").multiply, *files)
    assert list(part.figures) == ["s"]
    assert 8 < part.peak_mib < ballast.nbytes / 2**20 / 2


def test_growth_of_time_and_memory(bench):
    part = bench("measuring").Part
    parts = {10: part({"s": 1.0}, 100.0), 1010: part({"s": 100.0**0.5 * 101**0.5 / 10**0.5}, 101.0)}
    figures = bench("growing").growth_of("ops", "KiB", parts)
    assert figures["10 ops, peak (MiB)"] == 100.0
    assert figures["memory for one more of the ops (KiB)"] == pytest.approx(1.024)
    assert figures["exponent over ops"] == pytest.approx(np.log(figures["1,010 ops (CPU s)"]) / np.log(101))


def test_the_layers_of_resnet50_are_all_there(bench):
    rows = [[int(cell) for cell in line.split(",")[1:-1]] for line in bench("scale_sim").resnet50_layers()]
    assert len(rows) == 54
    products = [((h - kh) // s + 1) * ((w - kw) // s + 1) * kh * kw * c * n for h, w, kh, kw, c, n, s in rows]
    weights = sum(kh * kw * c * n for _, _, kh, kw, c, n, _ in rows)
    assert sum(products) / 1e9 == pytest.approx(4.09, abs=0.01)
    assert weights / 1e6 == pytest.approx(25.5, abs=0.1)


def test_figures_of_a_file_are_shown_without_measuring():
    command = [
        sys.executable,
        str(ROOT / "scripts" / "bench.py"),
        "--show",
        str(ROOT / "tests" / "data" / "bench.json"),
    ]
    done = subprocess.run([*command, "--only", "planning", "--markdown"], capture_output=True, text=True, check=True)
    lines = done.stdout.splitlines()
    assert lines[2] == "| what | speed | memory and sizes |"
    assert [line.split(" | ")[0] for line in lines[4:]] == ["| Plans of dense products, without any cache"]


def test_wrong_arguments_are_told():
    script = str(ROOT / "scripts" / "bench.py")
    for words, message in ((["--only", "nothing"], "invalid choice"), (["--against", "nowhere.json"], "--against")):
        done = subprocess.run([sys.executable, script, *words], capture_output=True, text=True)
        assert done.returncode == 2
        assert message in done.stderr
