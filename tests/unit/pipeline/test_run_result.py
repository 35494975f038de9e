"""The result of a simulation: its document, what its figures follow from, and how it is asked for."""

import json

import pytest
from handmade import document, problem_of

import ipusim
from ipusim.chip.load import load_chip
from ipusim.errors import BadInputError
from ipusim.frontends.workload import load_workload
from ipusim.pipeline.compiling import split_settings

CONTRACT = (
    "schema", "workload", "chip", "options", "seed", "versions",
    "cycles", "seconds", "flops", "tflops", "peak_tflops", "fraction_of_peak", "energy_j",
    "cycles_by_phase", "supersteps", "memory", "ops", "check", "infeasible",
)  # fmt: skip
ENERGY = ("energy", "energy_note", "power_w", "tflops_per_w", "area_mm2")
FURTHER = (
    *("levers_taken", "layers", "insights", "tiles_used", "idle_fraction", *ENERGY),
    *("assumed_constants", "uncertainty", "not_modelled", "constants"),
)
LAYER = {
    "name": "layer",
    "chip": "tiny",
    "dtype": "float16",
    "seed": 7,
    "tensors": {"w": {"shape": [16, 32]}, "x": {"shape": [32, 8]}, "bias": {"shape": [16, 1]}},
    "ops": [
        {"op": "matmul", "name": "product", "inputs": ["w", "x"], "output": "p"},
        {"op": "add", "name": "shift", "inputs": ["p", "bias"], "output": "s"},
        {"op": "relu", "name": "active", "inputs": ["s"], "output": "y"},
    ],
    "outputs": ["y"],
}


@pytest.fixture(scope="module")
def run():
    return ipusim.simulate(LAYER)


@pytest.fixture(scope="module")
def result(run):
    return run.to_dict()


def test_the_document_has_the_keys_of_the_contract(result):
    assert tuple(result) == (*CONTRACT, *FURTHER)
    assert set(result["memory"]) == {
        "tile_sram_bytes", "max_tile_bytes", "total_bytes", "fits", "worst_tile", "by_category",
    }  # fmt: skip
    assert set(result["cycles_by_phase"]) == {"compute", "exchange", "sync"}
    assert {"executed", "passed", "max_abs_error", "max_rel_error"} <= set(result["check"])
    for op in result["ops"]:
        assert {"name", "op", "cycles", "flops", "plan", "bytes_exchanged"} <= set(op)


def test_the_document_is_json(result):
    assert json.loads(json.dumps(result, allow_nan=False)) == result


def test_attributes_are_the_entries_of_the_document(run, result):
    for name in set(CONTRACT) - {"schema", "versions", "options", "ops", "infeasible", "check"}:
        assert getattr(run, name) == result[name], name


def test_cycles_add_up_by_phase_and_by_op(run, result):
    assert result["cycles"] == sum(result["cycles_by_phase"].values()) == sum(op["cycles"] for op in result["ops"])
    assert result["supersteps"] == len(run.trace.steps)
    for op in result["ops"]:
        assert op["cycles"] == sum(op["cycles_by_phase"].values()) == sum(op["terms"].values())


def test_rates_follow_from_cycles_and_useful_operations(result):
    chip = load_chip("tiny")
    assert result["flops"] == 2 * 16 * 32 * 8 + 16 * 8 + 16 * 8
    assert result["seconds"] == result["cycles"] / chip.clock_hz
    assert result["tflops"] == pytest.approx(result["flops"] / result["seconds"] / 1e12)
    # Half inputs with single partial sums: 4 tiles, 2 units of 4 inputs in 4 cycles, a multiply and an add, 1 GHz.
    assert result["peak_tflops"] == pytest.approx(4 * 2 * 2 * 4 / 4 * 1e9 / 1e12)
    assert result["fraction_of_peak"] == pytest.approx(result["tflops"] / result["peak_tflops"])


def test_names_seed_and_versions(result):
    assert (result["workload"], result["chip"], result["seed"]) == ("layer", "tiny", 7)
    assert set(result["versions"]) == {"ipusim", "numpy", "numba"}
    assert result["options"] == {"execute": False, "verify": False, "settings": []}
    assert result["infeasible"] is None
    assert not result["check"]["executed"]


def test_plans_are_told_where_there_is_a_choice(result):
    assert [bool(op["plan"]) for op in result["ops"]] == [True, False, False]
    assert result["ops"][0]["plan"]["strategy"] == "dense"


def test_executed_runs_are_checked():
    checked = ipusim.simulate(LAYER, execute=True, verify=True, explain=False)
    assert checked.check["executed"]
    assert checked.check["passed"]
    assert 0 <= checked.check["max_abs_error"] < 0.1
    assert checked.outputs["y"].shape == (16, 8)
    assert checked.outputs["y"].min() >= 0


def test_the_same_input_gives_the_same_document(result):
    assert ipusim.simulate(LAYER).to_dict() == result


def test_a_notebook_shows_the_report(run):
    shown = run._repr_mimebundle_(include=None, exclude=None)
    html = shown["text/html"]
    assert shown["text/plain"].startswith(f"{run.workload} on {run.chip}")
    assert html.startswith('<div class="ipusim-run"')
    assert "layer" in html


# --- what a user may pass -------------------------------------------------------------------------------------------


def test_workloads_come_as_name_path_dict_or_object(tmp_path):
    path = tmp_path / "layer.yaml"
    path.write_text(json.dumps(LAYER))
    cycles = {
        ipusim.simulate(source, explain=False).cycles for source in (path, str(path), LAYER, load_workload(LAYER))
    }
    assert len(cycles) == 1
    assert ipusim.simulate("dense/tiny", explain=False).workload == "tiny"


def test_chips_come_as_name_path_dict_or_object(tmp_path):
    path = tmp_path / "small.yaml"
    path.write_text("extends: tiny\nname: small\nexchange_bytes_per_cycle: 2\n")
    small = {"extends": "tiny", "name": "small", "exchange_bytes_per_cycle": 2}
    runs = [ipusim.simulate(LAYER, chip, explain=False) for chip in (path, str(path), small, load_chip(small))]
    assert {run.chip for run in runs} == {"small"}
    assert len({run.cycles for run in runs}) == 1
    assert runs[0].cycles > ipusim.simulate(LAYER, "tiny", explain=False).cycles


def test_a_chip_file_beside_the_workload_is_found(tmp_path):
    (tmp_path / "small.yaml").write_text("extends: tiny\nname: small\nsync_cycles: 1000\n")
    path = tmp_path / "layer.yaml"
    path.write_text(json.dumps(LAYER | {"chip": "small.yaml"}))
    assert ipusim.simulate(path, explain=False).chip == "small"


def test_settings_go_to_the_chip_or_to_the_workload():
    of_chip, of_workload = split_settings(
        ["n_tiles=8", "seed=3", "chip.sync_cycles=1", "amp_modes.0.units=4", "dtype=float32", "ops.0.partials=float32"]
    )
    assert of_chip == ["n_tiles=8", "sync_cycles=1", "amp_modes.0.units=4"]
    assert of_workload == ["seed=3", "dtype=float32", "ops.0.partials=float32"]


def test_a_setting_that_neither_has_may_mean_either():
    with pytest.raises(BadInputError) as caught:
        ipusim.simulate(LAYER, explain=False, settings=["n_tile=8", "sead=3", "ops.0.n_tiles=8"])
    hints = {problem.path: problem.hint for problem in caught.value.problems}
    assert hints["n_tile"] == "did you mean 'n_tiles'?"
    assert hints["sead"] == "did you mean 'seed'?"


def test_settings_take_effect():
    alone = "compile.layout=greedy"
    plain = ipusim.simulate(LAYER, explain=False, settings=[alone])
    more = ipusim.simulate(LAYER, explain=False, settings=["sync_cycles=1000", "seed=11", alone])
    assert more.seed == 11
    syncs = plain.cycles_by_phase["sync"] // 10
    assert more.cycles == plain.cycles + 990 * syncs
    assert more.to_dict()["options"]["settings"] == ["sync_cycles=1000", "seed=11", alone]


def test_wrong_settings_are_told_together():
    with pytest.raises(BadInputError) as caught:
        ipusim.simulate(LAYER, settings=["sync_cycles=-1", "n_tilez=3", "seeds=1"])
    text = str(caught.value)
    assert "sync_cycles" in text
    assert "n_tilez" in text
    assert "seeds" in text


def test_compile_returns_every_stage():
    compiled = ipusim.compile(LAYER, n_tiles=8)
    assert compiled.chip.n_tiles == compiled.program.n_tiles == 8
    assert set(compiled.plans) == {"product"}
    assert compiled.unplanned == ()
    assert compiled.fits
    assert compiled.memory.max_tile_bytes <= compiled.chip.tile_sram_bytes


# --- insights -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("workload", "chip"), [(LAYER, "tiny"), ("quickstart", "bow")])
def test_relaxing_a_resource_never_slows_a_program_down(workload, chip):
    run = ipusim.simulate(workload, chip)
    found = {entry["change"]: entry for entry in run.insights}
    same_program = {"exchange for free", "twice the exchange bandwidth", "barriers for free", "twice the AMP rate"}
    assert set(found) == same_program | {"twice the SRAM"}
    for change in same_program:
        assert found[change]["relative"] <= 0, change
    for entry in run.insights:
        assert entry["relative"] == pytest.approx(entry["cycles"] / run.cycles - 1, abs=1e-4)
    cycles = [entry["cycles"] for entry in run.insights]
    assert cycles == sorted(cycles)
    assert found["exchange for free"]["cycles"] <= found["twice the exchange bandwidth"]["cycles"]
    assert found["barriers for free"]["cycles"] == run.cycles - run.cycles_by_phase["sync"]


def test_insights_do_not_need_even_constants():
    modes = [mode.model_dump(mode="json") | {"cycles_per_row": 1} for mode in load_chip("tiny").amp_modes]
    chip = load_chip("tiny", amp_modes=modes, tile_sram_bytes=2**40, exchange_bytes_per_cycle=2**20)
    changes = {entry["change"] for entry in ipusim.simulate(LAYER, chip).insights}
    assert changes == {"exchange for free", "barriers for free", "twice the AMP rate"}


def test_without_explaining_nothing_is_relaxed():
    assert ipusim.simulate(document(problem_of(8, 8, 8)), "tiny", explain=False).insights == ()


def test_the_page_is_complete_and_names_from_files_are_text():
    run = ipusim.simulate(_named("<script>alert(1)</script>"), "tiny")
    page = run.to_html()
    assert page.startswith("<!doctype html>")
    assert page.endswith("</html>\n")
    assert "<script>alert(1)" not in page
    assert "&lt;script&gt;" in page


def test_a_pattern_that_cannot_be_built_is_bad_input_at_its_tensor():
    described = _named("block diagonal")
    described["tensors"]["w"]["sparsity"] = {"density": 0.3, "pattern": "block_diagonal"}
    with pytest.raises(BadInputError, match=r"tensors\.w\.sparsity"):
        ipusim.simulate(described, "bow")


def _named(name):
    return {
        "name": name,
        "tensors": {"w": {"shape": [16, 16]}, "x": {"shape": [16, 8]}},
        "ops": [{"op": "matmul", "inputs": ["w", "x"], "output": "y"}],
    }


def test_an_operator_that_is_computed_along_with_another_says_so():
    result = ipusim.simulate("quickstart", explain=False).to_dict()
    assert {op["name"]: op["fused_into"] for op in result["ops"]} == {"product": None, "shifted": "y", "y": None}
