import copy

from ipusim.report.training import render_methods
from ipusim.report.training_words import accuracy_text, training_summary


def _spread(mean, std=0.01):
    return {"mean": mean, "std": std, "least": mean, "most": mean, "values": [mean]}


def _row(method, accuracy, equal, share):
    return {
        **{"method": method, "density": 0.05, "accuracy": _spread(accuracy), "training_flops": 2.63e9},
        **{"accuracy_at_equal_cycles": None if equal is None else _spread(equal), "inference_flops": 8.09e6},
        **{"cycles": 21.9e6, "cycles_per_step": 1182905.0, "max_tile_bytes": 424242},
        **{f"{name}_of_dense": share for name in ("training_flops", "inference_flops", "cycles")},
    }


def _document(*rows, **changes):
    return {
        **{"workload": "digits", "chip": "bow", "methods": [], "seeds": [0, 1], "interrupted": False, "not_run": 0},
        **{"infeasible": {}, "runs": [], "summary": {"steps": 100, "equal_cycles": 14_700_000, "methods": list(rows)}},
        **changes,
    }


_ROWS = (_row("dense", 0.96, 0.90, 1.0), _row("static", 0.9602, 0.95, 0.05), _row("rigl", 0.93, None, 0.06))


def test_the_table_fits_eighty_columns():
    text = render_methods(_document(*_ROWS))
    assert max(map(len, text.splitlines())) <= 80
    (line,) = (line for line in text.splitlines() if line.startswith("  static "))
    assert line.split() == [
        *("static", "96.0", "±", "1.0", "95.0", "±", "1.0", "5.0", "%"),
        *("2.63", "G", "8.09", "M", "21.9", "M", "1,182,905", "414", "KiB"),
    ]


def test_what_it_comes_to():
    best, static, rigl = training_summary(_document(*_ROWS))
    assert best == "After 100 steps, static is the most accurate: 96.0 ± 1.0 %."
    assert static == (
        "static: as accurate as dense after 100 steps, with 5.0 % of the training FLOPs and 5.0 % of the cycles; at "
        "equal cycles (14.7 M) 5.0 points above dense."
    )
    assert rigl.endswith(
        "3.0 points below dense after 100 steps, with 6.0 % of the training FLOPs and 6.0 % of the cycles."
    )


def test_without_dense_nothing_is_compared_with_it():
    assert len(training_summary(_document(*_ROWS[1:]))) == 1


def test_what_is_missing_is_said():
    nothing = {"steps": 0, "equal_cycles": None, "methods": []}
    text = render_methods(_document(interrupted=True, not_run=3, infeasible={"set": "no room"}, summary=nothing))
    for word in ("INTERRUPTED: 3 trainings", "no room.", "No training has been finished."):
        assert word in text


def test_one_seed_has_no_spread():
    row = copy.deepcopy(_ROWS[0])
    row["accuracy"]["std"] = None
    assert accuracy_text(row["accuracy"]) == "96.0"
    assert accuracy_text(None) == "-"
