"""Stencils: values against SciPy, halos to the byte, cycles by hand, the loop over two buffers."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage

import ipusim
from ipusim.codelets.stencil import slots_of, vector_elements, vertex_cycles
from ipusim.engine.residency import Residency
from ipusim.errors import ResidencyError
from ipusim.ir.program import Repeat, Superstep
from ipusim.lower.stencil import build_stencil_grid
from ipusim.pipeline.compiling import compile_workload

WIDE = ipusim.load_chip("tiny", n_tiles=24, tile_sram_bytes="256 KiB")
CROSS = [[0, 0.125, 0], [0.25, 0.25, 0.0625], [0, 0.3125, 0]]
MODES = {"zero": ("constant", 0.0), "constant": ("constant", 0.75), "periodic": ("wrap", 0.0)}


def _workload(shape, op="stencil2d", coefficients=CROSS, dtype="float32", **attrs):
    ops = [{"op": op, "inputs": ["x"], "output": "y", "coefficients": coefficients, **attrs}]
    return {"name": "grid", "dtype": dtype, "tensors": {"x": {"shape": list(shape)}}, "ops": ops, "outputs": ["y"]}


def _values(workload, x, tmp_path, chip=WIDE):
    np.save(tmp_path / "x.npy", x)
    workload["tensors"]["x"]["init"] = {"file": str(tmp_path / "x.npy")}
    run = ipusim.simulate(workload, chip, execute=True, verify=True, explain=False)
    assert run.check["passed"]
    return run


@pytest.mark.parametrize("boundary", MODES)
@pytest.mark.parametrize("repeat", [1, 2, 5])
def test_values_are_scipys(boundary, repeat, tmp_path):
    x = np.random.default_rng(repeat).random((13, 9), dtype=np.float32)
    workload = _workload(x.shape, boundary=boundary, value=0.75, repeat=repeat)
    mode, value = MODES[boundary]
    expected = x.astype(np.float64)
    for _ in range(repeat):
        expected = ndimage.correlate(expected, np.array(CROSS), mode=mode, cval=value)
    found = _values(workload, x, tmp_path).outputs["y"]
    np.testing.assert_allclose(found, expected, rtol=1e-6)


def test_a_stencil_wider_than_the_blocks_reaches_the_tiles_beyond(tmp_path):
    x = np.random.default_rng(0).random((10, 10, 10), dtype=np.float32)
    block = np.random.default_rng(1).random((5, 5, 3)) / 75
    workload = _workload(x.shape, "stencil3d", block.tolist(), boundary="periodic", grid=[5, 4, 1])
    found = _values(workload, x, tmp_path).outputs["y"]
    np.testing.assert_allclose(found, ndimage.correlate(x.astype(np.float64), block, mode="wrap"), rtol=1e-5)


def test_a_large_grid_is_compared_in_parts(tmp_path, monkeypatch):
    monkeypatch.setattr("ipusim.engine.check.PRODUCTS", 1 << 14)
    x = np.random.default_rng(0).random((64, 48, 2), dtype=np.float32)
    for boundary in MODES:
        run = _values(_workload(x.shape, boundary=boundary, value=0.5, repeat=3), x, tmp_path)
        assert 0 < run.check["checked_fraction"] < 0.5


def test_the_check_notices_a_wrong_application(monkeypatch):
    from ipusim.engine import stencil

    right = stencil.stencil_boxes
    monkeypatch.setattr(stencil, "stencil_boxes", lambda *args: right(*args[:5], args[5], not args[6], *args[7:]))
    workload = _workload((13, 9), repeat=3)
    assert not ipusim.simulate(workload, WIDE, execute=True, explain=False).check["passed"]


def test_halos_are_what_the_neighbours_hold():
    program = compile_workload(_workload((12, 16, 4), dtype="float16", grid=[3, 4]), WIDE).program
    (halo,) = program.steps[0].exchange
    received = np.bincount(
        halo.group_tiles, weights=halo.regions.n_elements * program.variables["x"].element_bytes, minlength=24
    )
    # blocks of 4 x 4: in the middle 20 neighbours of 4 channels of 2 bytes, 9 in a corner
    assert received[5] == 20 * 8
    assert received[0] == 9 * 8
    assert received[12:].sum() == 0


def test_without_its_halo_a_tile_may_not_read():
    program = compile_workload(_workload((12, 16), grid=[3, 4]), WIDE).program
    residency = Residency(program)
    bare = Superstep(program.steps[1].name, "y", program.steps[1].compute)
    with pytest.raises(ResidencyError, match="pre-copy"):
        residency.run(bare, None)


@pytest.mark.parametrize(("repeat", "loop"), [(1, 0), (2, 0), (3, 0), (4, 1), (7, 2), (200, 99)])
def test_applications_take_turns_on_two_buffers(repeat, loop):
    program = compile_workload(_workload((12, 16), grid=[3, 4], repeat=repeat), WIDE).program
    applied = [step for step, count in program.supersteps() for _ in range(count) if step.name.endswith("/stencil")]
    assert len(applied) == repeat
    assert sum(step.count for step in program.steps if isinstance(step, Repeat)) == loop
    once = ipusim.simulate(_workload((12, 16), grid=[3, 4]), WIDE, explain=False)
    many = ipusim.simulate(_workload((12, 16), grid=[3, 4], repeat=repeat), WIDE, explain=False)
    assert many.cycles == repeat * once.cycles
    assert many.flops == repeat * once.flops == repeat * 2 * 5 * 12 * 16


def test_cycles_by_hand():
    # nine loads, eight additions, three products, a store, two slots of the loop; five more with four halves
    assert slots_of(9, 3, 2, float_type=True) == slots_of(9, 3, 1, float_type=False) == 23
    assert slots_of(9, 3, 4, float_type=False) == 28
    # ten rows of 20 elements over 6 workers: two rows each
    assert vertex_cycles(10, 20, 2, 23, 6) == 11 + 6 * (29 + 40 * 2 * 23)
    # two rows of 30: five columns each
    assert vertex_cycles(2, 30, 1, 23, 6) == 11 + 6 * (29 + 10 * 23)
    assert [vector_elements(channels, 2, True) for channels in (1, 2, 3, 4, 6, 8)] == [1, 2, 1, 4, 2, 4]
    assert (vector_elements(4, 4, True), vector_elements(4, 4, False)) == (2, 1)


def test_estimate_and_timing_agree_but_for_overheads():
    run = ipusim.simulate(_workload((24, 32, 4), grid=[4, 6]), WIDE, explain=False)
    terms, estimated = run.ops[0]["terms"], run.ops[0]["plan"]["estimated_terms"]
    for name in ("pre-copy", "stencil", "post-copy"):
        assert terms[name] == estimated[name]
    assert terms["halo"] == estimated["inputs"]


def test_every_element_is_on_one_tile_and_periodic_halos_come_from_the_other_side():
    compiled = compile_workload(_workload((12, 16), boundary="periodic", grid=[3, 4]), WIDE)
    grid = build_stencil_grid(compiled.all_plans["y"])
    assert len(grid.tile) == 12
    assert grid.source[: grid.segments[1]].tolist() == [0, 1, 3, 4, 5, 7, 8, 9, 11]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"coefficients": [[1, 2], [3, 4]]}, "expected odd extents"),
        ({"coefficients": [1, 2, 3]}, "found 1 levels of lists"),
        ({"coefficients": [[1, 2, 3], [1]]}, "of equal lengths"),
        ({"coefficients": [[0.1] * 15]}, "is smaller than the coefficients"),
        ({"grid": [4]}, "does not have 2 positive numbers"),
        ({"repeat": 0}, "expected at least 1"),
    ],
)
def test_bad_stencils_are_refused(change, message):
    with pytest.raises(ipusim.BadInputError, match=message):
        ipusim.load_workload(_workload((12, 10))) and ipusim.compile(_workload((12, 10), **change), WIDE)


def test_fractions_are_numbers():
    exact = ipusim.simulate(_workload((12, 10), coefficients=[["1/4", 0.5, "1/4"]]), WIDE, explain=False)
    assert exact.flops == 2 * 3 * 120
