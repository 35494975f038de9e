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
    document = _document(0.1, one=1.0, other=2.0) | {"machine": machine, "skipped": {"peer": "no network"}}
    lines = tables.markdown_table(document, {"some": "Something"}).splitlines()
    assert lines[0].startswith("One run on 2 cores (x86_64, Python 3.11.0)")
    assert lines[2:5] == ["| what | figures |", "|---|---|", "| Something | one: 1<br>other: 2 |"]
    assert lines[-1] == "peer was skipped: no network"
    shown = tables.changes_table([history.Change("some", "a (s)", 2.0, 1.0, 2.0)], 1.0)
    assert shown.splitlines()[-1].split() == ["a", "(s)", "2", "1", "2.00x"]
    assert all(len(line) <= 80 for line in tables.text_table("some", "it", {"a": 1.0}).splitlines())


def test_the_networks_in_numpy_and_scipy_learn_the_same(bench):
    learning = bench("learning")
    random = np.random.default_rng(1)
    x = random.random((64, 64), dtype=np.float32)
    targets = np.eye(10, dtype=np.float32)[random.integers(0, 10, 64)]
    whole = learning.initial_weights((1, 1, 1))
    sparse, dense = learning.sparse_step(whole), learning.dense_step([weight.copy() for weight in whole])
    for _ in range(5):
        assert sparse(x, targets) == pytest.approx(dense(x, targets), rel=1e-3)
    few = learning.initial_weights((0.1, 0.1, 0.5))
    assert np.count_nonzero(few[0]) == pytest.approx(0.1 * few[0].size, rel=0.1)
    step = learning.sparse_step(few)
    losses = [step(x, targets) for _ in range(60)]
    assert losses[-1] < losses[0]


def test_wrong_arguments_are_told():
    script = str(ROOT / "scripts" / "bench.py")
    for words, message in ((["--only", "nothing"], "invalid choice"), (["--against", "nowhere.json"], "--against")):
        done = subprocess.run([sys.executable, script, *words], capture_output=True, text=True)
        assert done.returncode == 2
        assert message in done.stderr
