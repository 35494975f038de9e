"""Space files: what they mean, and that everything wrong with one is told at once, at its place."""

import pickle

import pytest

from ipusim.errors import BadInputError
from ipusim.exploration.load import load_space
from ipusim.exploration.resolving import Resolver, result_keys
from ipusim.files.wording import FieldError

MATMUL = {
    "name": "product",
    "tensors": {"w": {"shape": [64, 64]}, "x": {"shape": [64, 32]}},
    "ops": [{"op": "matmul", "inputs": ["w", "x"], "output": "y"}],
}


def space_of(**parts):
    return load_space({"chip": "tiny", "workloads": MATMUL, "parameters": {"n_tiles": [4, 8]}, **parts})


def test_values_ranges_and_expressions():
    space = space_of(
        chip="bow",
        parameters={
            "n_tiles": {"from": 368, "to": 1472, "step": 368},
            "chip.clock_hz": {"from": "1 GHz", "to": "4 GHz", "points": 3, "log": True},
            "sync_cycles": {"from": 1, "to": 10, "points": 4},
            "tile_sram_bytes": "900 MiB / n_tiles",
            "workload.dtype": ["float16", "float32"],
        },
    )
    values = [each.domain.values for each in space.parameters]
    assert values[0] == (368, 736, 1104, 1472)
    assert values[1] == pytest.approx((1e9, 2e9, 4e9))
    assert values[2] == (1, 4, 7, 10)
    assert space.grid_size == 4 * 3 * 4 * 2
    point = {"n_tiles": 1104, "chip.clock_hz": 1e9, "sync_cycles": 1, "workload.dtype": "float32"}
    values = space.complete(point)
    sram = values["tile_sram_bytes"]
    assert sram % 16384 == 0
    assert sram <= 900 * 2**20 / 1104 < sram + 16384
    resolver = Resolver(space)
    chip = resolver.chip(values)
    assert (chip.n_tiles, chip.tile_sram_bytes, chip.clock_hz) == (1104, sram, 1e9)
    (case,) = resolver.cases(values)
    assert case.graph.tensors["w"].dtype == "float32"


def test_the_same_content_has_the_same_key_however_it_is_called():
    one, other = space_of(), space_of(workloads={**MATMUL, "name": "another"}, parameters={"chip.n_tiles": [8, 16]})
    keys = []
    for space, values in ((one, {"n_tiles": 8}), (other, {"chip.n_tiles": 8}), (one, {"n_tiles": 4})):
        resolver = Resolver(space)
        keys.append(result_keys(resolver.chip(values), resolver.cases(values)))
    assert keys[0] == keys[1] != keys[2]


def test_constraints_on_inputs_and_on_figures():
    space = space_of(constraints=["total_sram_bytes < 100 KiB", "cycles < 100", "n_tiles > 2 and seconds < 1 ms"])
    resolver = Resolver(space)
    small, large = ({"n_tiles": 4}, {"n_tiles": 8})
    assert space.excluded_by(small, resolver.chip(small)) is None
    assert space.excluded_by(large, resolver.chip(large)).text == "total_sram_bytes < 100 KiB"
    figures = {"cycles": 50, "seconds": 2e-3}
    assert space.broken_by(small, resolver.chip(small), figures).text.startswith("n_tiles > 2")
    assert space.broken_by(small, resolver.chip(small), {**figures, "cycles": None}).text == "cycles < 100"


def test_several_workloads_chips_and_labels():
    space = space_of(
        workloads=[MATMUL, {"workload": MATMUL, "name": "wide", "weight": 3, "set": {"tensors.x.shape": [64, 64]}}],
        parameters={"chip": ["gc2", "bow"], "workload.wide.seed": [1, 2]},
    )
    assert [(each.label, each.weight) for each in space.members] == [("product", 1.0), ("wide", 3.0)]
    resolver = Resolver(space)
    values = {"chip": "gc2", "workload.wide.seed": 2}
    assert resolver.chip(values).name == "gc2"
    plain, wide = resolver.cases(values)
    assert (plain.graph.seed, wide.graph.seed) == (0, 2)
    assert wide.graph.tensors["x"].shape == (64, 64)


def test_a_space_can_be_sent_to_another_process():
    space = space_of(parameters={"n_tiles": [4, 8], "sync_cycles": "n_tiles * 2"})
    again = pickle.loads(pickle.dumps(space))
    assert again.complete({"n_tiles": 8}) == {"n_tiles": 8, "sync_cycles": 16}


def test_an_expression_without_a_value_is_told_of_the_point():
    space = space_of(parameters={"n_tiles": [4, 8], "sync_cycles": "10 / (n_tiles - 4)"})
    with pytest.raises(FieldError, match="divides by zero"):
        space.complete({"n_tiles": 4})


BAD = """\
chip: bowl
workloads: [dense/matmul-1024, {workload: dense/mlpp}]
parameters:
  n_tile: [1, 2]
  clock_hz: [1.5, "2 GHx", "1 GHz"]
  tile_sram_bytes: "900 MiB / n_tyles"
  workload.tensors.w.sparsty.density: [1/4]
  workload.dtype: [float16, float17]
  sync_cycles: {from: 3, to: 1}
  chip.sync_cycles: [1, 1]
  worker_contexts: six
constraints: ["n_tiles", "area < 3", "1 +"]
objectives: [second, "seconds:up"]
sampler: gird
"""

EXPECTED = """\
1:7: chip: there is no packaged chip of this name (did you mean 'bow'?)
2:43: workloads.1.workload: no such file (there is no folder 'dense')
4:11: parameters.n_tile: 'n_tile' is neither a constant of the chip nor a field of a workload (did you mean 'n_tiles'?)
5:19: parameters.clock_hz.1: unknown unit 'GHx' (units of frequency: Hz, kHz, MHz or GHz)
6:20: parameters.tile_sram_bytes: unknown name 'n_tyles' (did you mean 'n_tiles'?)
7:40: parameters.workload.tensors.w.sparsty.density.0: tensors.w.sparsty: unknown key (did you mean 'sparsity'?)
8:29: parameters.workload.dtype.1: dtype: unknown number format 'float17' (did you mean 'float16'?)
9:30: parameters.sync_cycles.to: must be above 'from' (3), found 1
10:21: parameters.chip.sync_cycles: has a value twice
11:20: parameters.worker_contexts: unknown name 'six' (a list of values needs brackets: [a, b])
12:15: constraints.0: 'n_tiles' is no condition (such as total_sram_bytes <= 1 GiB)
12:26: constraints.1: unknown name 'area' (did you mean 'area_mm2'?)
12:38: constraints.2: '1 +' is not an expression (such as 900 MiB / n_tiles)
13:14: objectives.0: unknown objective 'second' (did you mean 'seconds'?)
13:22: objectives.1: a direction is 'asc' or 'desc', found 'up'
14:10: sampler: unknown sampler 'gird' (did you mean 'grid'?)
"""


def test_every_problem_is_told_at_its_place(tmp_path):
    path = tmp_path / "bad.yaml"
    path.write_text(BAD)
    with pytest.raises(BadInputError) as raised:
        load_space(path)
    found = [str(problem).removeprefix(f"{path}:") for problem in raised.value.problems]
    assert found == EXPECTED.splitlines()


@pytest.mark.parametrize(
    ("parts", "message"),
    [
        ({"parameters": {"sync_cycles": "n_tiles", "n_tiles": "sync_cycles"}}, "in a circle: sync_cycles, n_tiles"),
        ({"parameters": {"clock_hz": {"from": 1, "to": 2}}}, "a grid has no use for a continuous range"),
        ({"parameters": {"n_tiles": {"from": 1, "to": 1e7, "step": 1}}}, "more than 100,000 values"),
        ({"parameters": {"n_tiles": [4], "chip.n_tiles": [8]}}, "changes the same as 'n_tiles'"),
        ({"parameters": {"n_tiles": [4], "sync_cycles": "n_tiles > 3"}}, "found a condition"),
        ({"parameters": {"n_tiles": {"from": 1, "to": 2, "step": 1, "log": True}}}, "either a step"),
        ({"parameters": {"chip": "bow"}}, "expected a list of chips"),
        ({"parameters": {"clock_hz": {"from": 0, "to": 2, "log": True, "points": 3}}}, "begins above 0"),
        ({"workloads": [MATMUL, MATMUL]}, "a second workload is called 'product'"),
        ({"budget": 0}, "must be at least 1"),
        ({"parameters": {"n_tiles": "10**10**10"}}, "is out of range"),
        ({"constraints": ["1/0 > 1"]}, "divides by zero"),
        ({"constraints": ["max(n_tiles) > 1"]}, "max takes at least 2 numbers, found 1"),
        ({"objectives": ["seconds", "seconds:desc"]}, "'seconds' is an objective already"),
        ({"sampelr": "grid"}, "did you mean 'sampler'?"),
        (
            {"workloads": {**MATMUL, "tensors": {"w": {"shape": [64, 63]}, "x": {"shape": [64, 32]}}}},
            "inner dimensions",
        ),
    ],
)
def test_what_is_refused(parts, message):
    with pytest.raises(BadInputError) as raised:
        space_of(**parts)
    assert message in str(raised.value)


def test_a_wrong_weight_hides_nothing_else():
    with pytest.raises(BadInputError) as raised:
        space_of(name="", workloads=[{"workload": MATMUL, "weight": -1}], objectives=["second"], sampler="gird")
    found = {problem.path for problem in raised.value.problems}
    assert found == {"workloads.0.weight", "name", "sampler", "objectives.0"}
