import copy
import json
import re

import pytest
from report_pages import HOSTILE, data_of, own_scripts, parsed

from ipusim.cli.main import main
from ipusim.report.html.page import MOST_BYTES
from ipusim.report.html.train import render_training_page, render_training_part
from ipusim.training.document import TrainingDocument


def _line(step, accuracy, loss, changed=0, factor=1):
    return {
        **{"step": step, "accuracy": accuracy, "loss": loss, "learning_rate": 0.1, "density": 0.1},
        **{"connections_changed": changed, "flops": 1000 * step * factor, "cycles": 200 * step * factor},
        **{"seconds": 1e-6 * step, "topology_seconds": 0.0, "energy_j": 1e-6 * step},
    }


def _run(method, seed, log):
    cost = {
        "cycles": 200,
        "cycles_by_phase": {"compute": 120, "exchange": 60, "sync": 20},
        **{"seconds": 1e-6, "energy_j": 1e-6, "flops": 1000, "max_tile_bytes": 4096},
    }
    return {
        **{"schema": "ipusim-training-1", "workload": "digits", "chip": "bow", "method": method, "steps": 20},
        **{"seed": seed, "batch": 8, "n_weights": 1000, "density": 0.1, "layer_densities": {"w1": 0.1}},
        **{"programs": {"step": cost, "forward": cost}, "tile_sram_bytes": 8192, "pattern_update_s": 1e-4},
        **{"topology_share": 0.25, "trained": log[-1] if log else None, "log": log},
    }


def _row(method, mean, equal, share):
    def spread(value):
        return {"mean": value, "std": 0.004, "least": value, "most": value, "values": [value]}

    return {
        **{"method": method, "n_seeds": 2, "density": 0.1, "accuracy": spread(mean), "loss": spread(0.5)},
        **{"accuracy_at_equal_cycles": spread(equal) if equal else None, "training_flops": 2e4},
        **{"inference_flops": 1e3, "cycles": 4e3, "cycles_per_step": 200.0, "seconds": 2e-5, "topology_share": 0.1},
        **{"energy_j": None, "connections_changed": 12.0, "max_tile_bytes": 4096},
        **{f"{name}_of_dense": share for name in ("training_flops", "inference_flops", "cycles")},
    }


@pytest.fixture
def training():
    return _run("rigl", 3, [_line(10, 0.5, 2.0), _line(20, 0.75, 1.0, 12)])


@pytest.fixture
def methods():
    runs = [
        _run("dense", 0, [_line(10, 0.5, 2.0), _line(20, 0.9, 0.5)]),
        _run("dense", 1, [_line(10, 0.7, 1.0), _line(20, 0.95, 0.25)]),
        _run("set", 0, [_line(10, 0.4, 2.0, 0, 0.5), _line(20, 0.8, 1.0, 8, 0.5)]),
    ]
    summary = {
        **{"steps": 20, "equal_cycles": 2000},
        "methods": [_row("dense", 0.925, 0.6, 1.0), _row("set", 0.8, 0.8, 0.5)],
    }
    return {
        **{"schema": "ipusim-training-comparison-1", "workload": "digits", "chip": "bow"},
        **{"methods": ["dense", "set"], "seeds": [0, 1], "interrupted": False, "not_run": 1, "infeasible": {}},
        **{"summary": summary, "runs": runs},
    }


def _without_scripts(page):
    return re.sub(r"<script.*?</script>", "", page, flags=re.DOTALL)


def test_page_has_methods_passes_and_log_without_scripts(methods):
    text = _without_scripts(render_training_page(methods))
    for word in ("92.5 ± 0.4", "60.0 ± 0.4", "50.0 %", "4.00 KiB", "training step", "0.25", "20.0 k"):
        assert word in text
    assert "set: 12.5 points below dense after 20 steps, with 50.0 % of the training FLOPs" in text
    assert "at equal cycles (2.00 k) 20.0 points above dense." in text


def test_curves_are_means_with_the_extremes_of_the_seeds(methods):
    dense, other = data_of(render_training_page(methods))["methods"]
    assert dense["step"] == [10, 20]
    assert dense["accuracy"] == {"mean": [0.6, 0.925], "least": [0.5, 0.9], "most": [0.7, 0.95]}
    assert other["cycles"] == [1000, 2000]
    assert other["connections_changed"]["most"] == [0, 8]


def test_the_page_of_one_training(training):
    page = render_training_page(training)
    text = _without_scripts(page)
    for word in ("75.0 %", "rigl, seed 3", "25.0 % of the time", "dense matmul"):
        assert word in text
    assert data_of(page)["equal_cycles"] is None
    assert "Methods</a>" not in text


def test_the_page_of_costs_alone(training):
    training |= {"trained": None, "log": []}
    page = render_training_page(training)
    assert "nothing was trained" in page
    assert 'id="by-step"' not in page
    assert len(data_of(page)["passes"]) == 2


def test_the_page_of_nothing(methods):
    nothing = {"steps": 0, "equal_cycles": None, "methods": []}
    methods |= {"runs": [], "interrupted": True, "not_run": 4, "summary": nothing, "infeasible": {"set": "no room"}}
    text = _without_scripts(render_training_page(methods))
    for word in ("4 trainings were not run", "no room", "No training has been finished"):
        assert word in text


def test_names_become_neither_markup_nor_script(methods, training):
    for document in (methods, training):
        clean = parsed(render_training_page(document))
        hostile = copy.deepcopy(document)
        hostile["workload"] = hostile["chip"] = HOSTILE
        for run in hostile.get("runs", [hostile]):
            run["layer_densities"] = {HOSTILE: 0.1}
            run["method"] = HOSTILE
            run["programs"][HOSTILE] = run["programs"].pop("forward")
        if "runs" in hostile:
            hostile["methods"] = [HOSTILE]
            hostile["infeasible"] = {HOSTILE: HOSTILE}
        page = render_training_page(hostile)
        assert set(parsed(page).tags) == set(clean.tags)
        assert "alert" not in own_scripts(page)
        assert data_of(page)["runs"][0]["layers"][0][0] == HOSTILE
        assert "<img" not in render_training_part(hostile)


def test_page_needs_nothing_else(methods):
    page = render_training_page(methods)
    assert {address[:1] for address in parsed(page).addresses} == {"#", "d"}
    assert len(page.encode()) < MOST_BYTES


def test_parts_for_a_notebook(methods, training):
    part = render_training_part(methods)
    assert "<script" not in part
    assert "92.5 ± 0.4" in part
    assert "75.0 % of the test images" in render_training_part(training)


def test_same_document_gives_the_same_page(methods):
    assert render_training_page(json.loads(json.dumps(methods))) == render_training_page(methods)


def test_saved_documents_are_shown_again(methods, training, tmp_path, capsys):
    for document, words in ((methods, "at equal c."), (training, "75.0 % of the test images")):
        path, page = tmp_path / "saved.json", tmp_path / "page.html"
        path.write_text(json.dumps(document))
        assert main(["report", str(path), "-o", str(page)]) == 0
        assert page.read_text() == render_training_page(document)
        assert main(["report", str(path)]) == 0
        assert words in capsys.readouterr().out
    del document["trained"]
    path.write_text(json.dumps(document))
    assert main(["report", str(path)]) == 2
    assert "trained: is missing" in capsys.readouterr().err


def test_a_training_shows_itself(training):
    shown = TrainingDocument(training)._repr_mimebundle_()
    assert shown["text/html"] == render_training_part(training)
    assert shown["text/plain"].startswith("digits on bow  rigl, 20 steps of 8, seed 3")
    assert TrainingDocument(training).to_html() == render_training_page(training)
