import json
import os

import pytest

import ipusim
from ipusim.comparison import compare
from ipusim.comparison.options import parse_options
from ipusim.comparison.outcome import OK, STATUSES
from ipusim.comparison.points import DENSE
from ipusim.comparison.run import Sweep, evaluate
from ipusim.comparison.space import build_space
from ipusim.errors import BadInputError, IpusimError
from ipusim.frontends.build import build_graph
from ipusim.ops.registry import find_op

_RATE = {1: 10, 4: 25, 8: 50, 16: 100}


class _Fake:
    """A chip whose cycles are simple to foresee: 1,000, and the useful operations over a rate."""

    energy_j = None
    energy_by_component = None
    infeasible = None
    uncertainty = None

    def __init__(self, workload, chip):
        graph = build_graph(workload)
        self.flops, self.cycles, self.ops = 0, 1000, []
        for op in graph.ops:
            inputs = tuple(graph.tensors[name] for name in op.inputs)
            outputs = tuple(graph.tensors[name] for name in op.outputs)
            stored = [int(each.n_elements * (each.sparsity.density if each.sparsity else 1)) for each in inputs]
            sparse = [each.sparsity for each in inputs if each.sparsity]
            flops = find_op(op.kind).flops(inputs, outputs, op.attrs, tuple(stored))
            rate = _RATE[sparse[0].block_size] / (1 + (sparse[0].mode == "dynamic")) if sparse else 200
            self.flops += flops
            self.cycles += int(flops / rate)
            self.ops.append({"name": op.name, "plan": {"strategy": sparse[0].mode if sparse else DENSE}})
        self.seconds = self.cycles / chip.clock_hz
        self.cycles_by_phase = {"compute": self.cycles - 30, "exchange": 20, "sync": 10}
        self.memory = {"max_tile_bytes": 10, "tile_sram_bytes": 100}


def _simulate(workload, chip):
    return _Fake(workload, chip)


def _simulate_but_not_dynamic(workload, chip):
    run = _Fake(workload, chip)
    if run.ops[0]["plan"]["strategy"] == "dynamic":
        raise IpusimError("not today")
    return run


def _simulate_but_not_dense(workload, chip):
    run = _Fake(workload, chip)
    if run.ops[0]["plan"]["strategy"] == DENSE:
        run.infeasible = {"constraint": "tile_sram_bytes", "demand_bytes": 2048, "capacity_bytes": 1024}
        run.cycles = run.seconds = None
    return run


def _die_at_block_size_8(workload, chip):
    sparsity = build_graph(workload).tensors["w"].sparsity
    if sparsity and sparsity.block_size == 8:
        os._exit(3)
    return _Fake(workload, chip)


@pytest.fixture
def sweep(base_of, document):
    """Return a function from options (and what simulates) to a sweep of one product."""
    document["tensors"] = {"w": {"shape": [64, 32]}, "x": {"shape": [32, 256]}}

    def build(simulate=_simulate, **options):
        base = base_of(document)
        return Sweep(base, ipusim.load_chip("bow"), build_space(base, parse_options(**options)), simulate)

    return build


def test_every_point_is_simulated_once(sweep):
    seen = []

    def simulate(workload, chip):
        sparsity = build_graph(workload).tensors["w"].sparsity
        seen.append((build_graph(workload).tensors["x"].shape[1], sparsity))
        return _Fake(workload, chip)

    comparison = evaluate(sweep(simulate, batches="8,16"), 1)
    assert len(comparison.baselines) == 2
    assert len(comparison.cells) == 2 * 32
    assert len(seen) == len(set(map(str, seen))) == 66


def test_figures_of_a_cell(sweep):
    comparison = evaluate(sweep(densities="1/4", block_sizes="4", modes="static"), 1)
    (dense,), (cell,) = comparison.baselines, comparison.cells
    flops = 2 * 64 * 32 * 256
    assert dense.outcome.cycles == 1000 + flops // 200
    assert cell.outcome.cycles == 1000 + flops // 4 // 25
    assert cell.speedup == dense.outcome.cycles / cell.outcome.cycles
    assert cell.outcome.flops == flops // 4
    assert cell.effective_tflops == pytest.approx(4 * cell.useful_tflops)
    assert cell.useful_tflops == pytest.approx(flops / 4 / cell.outcome.seconds / 1e12)
    assert (dense.speedup, dense.effective_tflops) == (1.0, dense.useful_tflops)
    assert cell.bound_by == "compute"


@pytest.mark.parametrize("n_workers", [2, 3])
def test_the_number_of_processes_changes_nothing(sweep, n_workers):
    alone = evaluate(sweep(batches="8,16"), 1).to_dict()
    assert evaluate(sweep(batches="8,16"), n_workers).to_dict() == alone


def test_one_bad_cell_does_not_stop_the_others(sweep):
    comparison = evaluate(sweep(_simulate_but_not_dynamic), 2)
    failed = [cell for cell in comparison.cells if cell.outcome.status == "failed"]
    assert {cell.point.mode for cell in failed} == {"dynamic"}
    assert {cell.outcome.reason for cell in failed} == {"not today"}
    assert all(cell.speedup for cell in comparison.cells if cell.point.mode == "static")


def test_a_process_that_dies_loses_one_cell(sweep):
    comparison = evaluate(sweep(_die_at_block_size_8, densities="1/4,1/8", modes="static"), 2)
    for cell in comparison.cells:
        lost = cell.point.block_size == 8
        assert cell.outcome.status == ("failed" if lost else OK)
        assert ("ended with code 3" in cell.outcome.reason) == lost


def test_a_baseline_that_does_not_fit(sweep):
    comparison = evaluate(sweep(_simulate_but_not_dense), 1)
    assert comparison.baselines[0].outcome.status == "infeasible"
    assert all(cell.outcome.cycles and cell.speedup is None for cell in comparison.cells)
    assert all(cell.effective_tflops for cell in comparison.cells)
    assert {even.outcome for even in comparison.break_even()} == {"unknown"}


def test_an_interrupt_keeps_what_is_finished(sweep):
    count = 0

    def simulate(workload, chip):
        nonlocal count
        count += 1
        if count > 5:
            raise KeyboardInterrupt
        return _Fake(workload, chip)

    comparison = evaluate(sweep(simulate), 1)
    assert comparison.interrupted
    assert [cell.outcome.status for cell in comparison.cells] == [OK] * 4 + ["not_run"] * 28
    assert comparison.to_dict()["not_run"] == 28
    assert comparison.break_even()[0].n_compared == 4


def test_an_interrupt_before_anything_is_finished(sweep):
    def simulate(_workload, _chip):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        evaluate(sweep(simulate), 1)


def test_progress_names_every_point(sweep):
    said = []
    evaluate(sweep(densities="1/16", block_sizes="8"), 1, said.append)
    assert said == [
        "0 of 3",
        "1 of 3: dense, float16, batch 256",
        "2 of 3: static, block size 8, density 1/16, float16, batch 256",
        "3 of 3: dynamic, block size 8, density 1/16, float16, batch 256",
    ]


def test_the_document(sweep):
    comparison = evaluate(sweep(batches="8", dtypes="float32"), 1, settings=["seed=3"])
    document = json.loads(json.dumps(comparison.to_dict(), allow_nan=False))
    assert document["schema"] == "ipusim-comparison-1"
    assert document["weights"] == {"w": [64, 32]}
    assert document["options"] == {
        "densities": [1 / 4, 1 / 8, 1 / 16, 1 / 32],
        "block_sizes": [1, 4, 8, 16],
        "modes": ["static", "dynamic"],
        "batches": [8],
        "dtypes": ["float32"],
        "features": [None],
        "settings": ["seed=3"],
    }
    assert len(document["cells"]) == 32
    assert len(document["break_even"]) == len(document["summary"]) == 8
    assert {cell["status"] for cell in document["cells"]} <= set(STATUSES)
    assert document["cells"][0]["cycles_by_phase"].keys() == {"compute", "exchange", "sync"}


def test_rows_are_flat(sweep):
    rows = evaluate(sweep(densities="1/4"), 1).rows
    assert len(rows) == 9
    assert [row["mode"] for row in rows] == [DENSE, *["static"] * 4, *["dynamic"] * 4]
    assert all(not isinstance(value, (dict, list)) for row in rows for value in row.values())
    assert rows[0]["compute_cycles"] + rows[0]["exchange_cycles"] + rows[0]["sync_cycles"] == rows[0]["cycles"]


def test_sentences_name_the_condition_where_there_are_several(sweep):
    one = evaluate(sweep(block_sizes="16", modes="static"), 1)
    assert one.summary[0].startswith("At block size 16, static wins ")
    two = evaluate(sweep(block_sizes="16", modes="static", batches="8,256"), 1)
    assert two.summary[1].startswith("With float16, batch 256, at block size 16, static wins ")


def test_a_notebook_shows_the_report(sweep):
    shown = evaluate(sweep(densities="1/4", block_sizes="4"), 1)._repr_mimebundle_()
    html = shown["text/html"]
    assert shown["text/plain"].startswith("one on bow  dense against sparse")
    assert html.startswith('<div class="ipusim-comparison"')
    assert "one on bow: dense against sparse" in html
    assert "Break-even density" in html


def test_problems_of_options_and_files_come_at_once(tmp_path):
    path = tmp_path / "wrong.yaml"
    path.write_text("name: wrong\ntensors: {}\n")
    with pytest.raises(BadInputError) as caught:
        compare(path, densities="2", modes="x")
    assert [problem.file for problem in caught.value.problems] == ["--density", "--mode", str(path)]


def test_the_public_names():
    assert ipusim.compare is compare
    assert {"compare", "Comparison"} <= set(ipusim.__all__)


def test_a_real_sweep_has_the_cycles_of_real_runs(document):
    document["chip"] = "tiny"
    document["tensors"] = {"w": {"shape": [32, 32]}, "x": {"shape": [32, 16]}}
    comparison = ipusim.compare(document, densities="1/4", block_sizes="4", modes="static", workers=1)
    assert comparison.baselines[0].outcome.cycles == ipusim.simulate(document).cycles
    document["tensors"]["w"]["sparsity"] = {"density": 0.25, "block_size": 4}
    run = ipusim.simulate(document)
    (cell,) = comparison.cells
    assert cell.outcome.cycles == run.cycles
    assert cell.outcome.flops == run.flops == 2 * 32 * 32 * 16 // 4
    assert cell.outcome.status == OK


def test_a_sweep_in_processes_started_afresh(sweep, monkeypatch):
    alone = evaluate(sweep(densities="1/4"), 1)
    monkeypatch.setattr("ipusim.pipeline.processes.threading.active_count", lambda: 2)
    assert evaluate(sweep(densities="1/4"), 2) == alone
