"""Sparse products on hardware that no chip has yet: cost, program and estimate agree, and values stay."""

import numpy as np
import pytest
from static_by_hand import halves, pattern, static_case

from ipusim.chip.load import load_chip
from ipusim.cost.arithmetic import ceil_div
from ipusim.cost.dynamic_overheads import DynamicOverheads
from ipusim.engine.charges import NONE, Charges
from ipusim.engine.exchange_timing import exchange_load
from ipusim.engine.execution import execute_program
from ipusim.engine.timing import time_program
from ipusim.pipeline.compiling import compile_workload
from ipusim.plan.dynamic_executed import executed_pass
from ipusim.plan.static_estimate import COMPUTE, GATHER
from ipusim.plan.static_executed import executed_cycles
from ipusim.plan.static_gather import shared_cols
from ipusim.plan.static_search import follows_n_m
from ipusim.sparse.blocks import blocks_from_flat

BOW = load_chip("bow", n_tiles=48)
MULTICAST = {"tiles_per_exchange_bus": 4, "exchange_bus_rate_factor": 4, "exchange_gather_sharing": True}
CHANGES = {
    "gather units": {"gather_units": 2},
    "lists of 4": {"amp_block4_fraction": 0.5},
    "lists of 8": {"amp_block8_fraction": 1, "interleaved_load_bytes": 32},
    "1:4": {"amp_skip_n": 1, "amp_skip_m": 4},
    "wide exchange": {"exchange_bytes_per_cycle": 16},
    "narrow exchange": {"exchange_bytes_per_cycle": 2},
    "shared gather": {"exchange_gather_sharing": True},
    "multicast": MULTICAST,
    "workers": {"worker_contexts": 8},
    "wide data path": {"data_path_bytes": 16, "interleaved_load_bytes": 32},
}
WORK_ONLY = DynamicOverheads(0, 0, 100, 0, 0, 0, 0)


def one_of_four(rows, cols, seed=0):
    """Return the pattern that keeps one of every four neighbours of a row."""
    groups = rows * cols // 4
    return blocks_from_flat((rows, cols), 1, np.arange(groups) * 4 + np.random.default_rng(seed).integers(0, 4, groups))


def case_of(block_size, chip, n_splits=3, n_bands=2):
    if block_size == 1:
        return static_case(one_of_four(160, 192), 64, chip, n_splits=n_splits, n_bands=n_bands)
    blocks = pattern("random", 40, 48, block_size, seed=3, count=500)
    return static_case(blocks, 64, chip, n_splits=n_splits, n_bands=n_bands)


def multiply_and_gather(case, chip):
    model = executed_cycles(case.plan.partition, chip, WORK_ONLY, case.plan.reduction)
    steps = {step.name.partition("/")[2]: step for step, _ in case.program.supersteps()}
    arriving = steps["gather"].exchange
    load, leaving = (exchange_load(each, case.program, chip, NONE) for each in (arriving, arriving[:1]))
    sent = ceil_div(int(leaving.sent.max()), chip.exchange_bytes_per_cycle)
    times = {step.name.partition("/")[2]: step for step in time_program(case.program, chip, NONE).steps}
    return model, times["multiply"].compute_cycles, max(sent, int(sum(load.by_label.values()).max()))


@pytest.mark.parametrize("block_size", [1, 4, 8])
@pytest.mark.parametrize("change", CHANGES)
def test_cost_and_program_agree(change, block_size):
    chip = BOW.replace(**CHANGES[change])
    for case in (case_of(block_size, chip), case_of(block_size, chip, 1, 5)):
        model, multiply, gather = multiply_and_gather(case, chip)
        assert multiply == model.multiply
        assert gather == model.gather


@pytest.mark.parametrize(
    ("block_size", "term", "changes"),
    [
        (
            1,
            "multiply",
            [{}, {"gather_units": 1}, {"gather_units": 2}, {"gather_units": 4, "interleaved_load_bytes": 32}],
        ),
        (1, "multiply", [{}, CHANGES["1:4"], CHANGES["1:4"] | {"interleaved_load_bytes": 32}]),
        (4, "multiply", [{}, {"amp_block4_fraction": 0.25}, {"amp_block4_fraction": 0.5}]),
        (4, "multiply", [{"amp_block4_fraction": 1.0}, {"amp_block4_fraction": 1.0, "interleaved_load_bytes": 32}]),
        (16, "gather", [{}, {"exchange_gather_sharing": True}, {"exchange_bytes_per_cycle": 8}]),
        (16, "gather", [MULTICAST | {"exchange_bus_rate_factor": factor} for factor in (1, 2, 3, 4)]),
    ],
    ids=str,
)
def test_more_of_it_is_quicker_for_the_same_split(block_size, term, changes):
    found = []
    for change in changes:
        chip = BOW.replace(**change)
        case = case_of(block_size, chip, 1, 2)
        found.append(getattr(multiply_and_gather(case, chip)[0], term))
    assert found == sorted(found, reverse=True)
    assert len(set(found)) > 1


def test_the_planner_knows_the_mechanisms():
    for block_size, change, term in (
        (1, "gather units", COMPUTE),
        (1, "1:4", COMPUTE),
        (4, "lists of 4", COMPUTE),
        (8, "lists of 8", COMPUTE),
        (16, "multicast", GATHER),
    ):
        chips = (BOW, BOW.replace(**CHANGES[change]))
        before, after = (case_of(block_size, chip, 1, 2).plan.split.terms[term] for chip in chips)
        assert after < before, change


@pytest.mark.parametrize("block_size", [1, 4])
def test_values_do_not_change(block_size):
    with_all = BOW.replace(
        gather_units=2, amp_skip_n=1, amp_skip_m=4, amp_block4_fraction=0.5, exchange_gather_sharing=True
    )
    cases = [case_of(block_size, chip) for chip in (BOW, with_all)]
    values = cases[0].values(halves(1))
    results = [execute_program(case.program, values, verify=True)["y"] for case in cases]
    assert results[0].any()
    assert np.array_equal(results[0], results[1])


def test_shared_operands_are_what_the_tiles_of_a_bus_need_together():
    chip = BOW.replace(exchange_gather_sharing=True)
    partition = case_of(16, chip).plan.partition
    for layout in partition.layouts:
        shared = shared_cols(partition, layout, chip)
        needed = [
            set(partition.cols[first:last].tolist())
            for first, last in zip(layout.blocks_indptr[:-1], layout.blocks_indptr[1:], strict=True)
        ]
        for run, tile in enumerate(layout.tile.tolist()):
            mates = [needed[other] for other in np.flatnonzero(layout.tile // 2 == tile // 2)]
            together = len(set.union(*mates))
            helps = len(mates) == 2 and together <= 2 * min(map(len, mates))
            assert shared[run] == (together if helps else 0)
    assert shared.any()


def test_patterns_that_an_amp_skips():
    chip = BOW.replace(amp_skip_n=1, amp_skip_m=4)
    blocks = one_of_four(8, 16)
    assert follows_n_m(blocks, chip)
    assert not follows_n_m(blocks, BOW)
    assert not follows_n_m(blocks_from_flat((8, 16), 1, np.array([0, 3])), chip)
    assert follows_n_m(blocks_from_flat((8, 16), 1, np.array([3, 4])), chip)
    assert not follows_n_m(blocks_from_flat((32, 64), 4, np.array([0, 4])), chip), "single elements only"
    assert case_of(1, chip).plan.split.n_m
    assert not case_of(1, BOW).plan.split.n_m


@pytest.mark.parametrize(("block_size", "partials"), [(1, "float32"), (4, "float16"), (8, "float32")])
@pytest.mark.parametrize("change", ["gather units", "lists of 4", "lists of 8", "wide exchange", "wide data path"])
def test_dynamic_cost_and_program_agree(change, block_size, partials):
    spec = {
        "name": "test",
        "dtype": "float16",
        "tensors": {
            "w": {"shape": [256, 256], "sparsity": {"density": "1/4", "block_size": block_size, "mode": "dynamic"}},
            "x": {"shape": [256, 64]},
        },
        "ops": [{"op": "matmul", "inputs": ["w", "x"], "output": "y", "partials": partials}],
        "outputs": ["y"],
    }
    chip = BOW.replace(**CHANGES[change])
    compiled = compile_workload(spec, chip)
    trace = time_program(compiled.program, chip, Charges(0, 0, 0, 0, 0, True, 100))
    executed = executed_pass(compiled.plans["y"].placement, chip, WORK_ONLY, False)
    control = trace.terms().get("control", 0)
    assert trace.cycles == executed.total + control
    slower = executed_pass(compile_workload(spec, BOW).plans["y"].placement, BOW, WORK_ONLY, False)
    if change == {1: "gather units", 4: "lists of 4", 8: "lists of 8"}[block_size]:
        assert executed.multiply < slower.multiply
