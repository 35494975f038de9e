"""Energy of any program: what it adds up to, and what makes it grow or leaves it alone."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import ipusim
from ipusim.chip.load import load_chip
from ipusim.codelets.registry import codelet
from ipusim.codelets.work import Traffic
from ipusim.cost.energy import COMPONENTS, Work, exchange_energy, static_power_w, work_energy
from ipusim.ir.program import VertexSet
from ipusim.pipeline.run import Run

TINY = load_chip("tiny")
COUNTS = st.integers(0, 10**12)


def _workload(mode: str, block_size: int, density: str, columns: int = 16) -> dict[str, Any]:
    weights: dict[str, Any] = {"shape": [64, 64]}
    if mode != "dense":
        weights["sparsity"] = {"mode": mode, "block_size": block_size, "density": density, "pattern": "random"}
    return {
        "name": "product",
        "dtype": "float16",
        "tensors": {"w": weights, "x": {"shape": [64, columns]}},
        "ops": [{"op": "matmul", "inputs": ["w", "x"], "output": "y", "partials": "float32"}],
        "outputs": ["y"],
    }


CASES = [("dense", 1), ("static", 1), ("static", 4), ("dynamic", 1), ("dynamic", 4)]


def _run(mode: str, block_size: int, density: str = "1/4", **fields: Any) -> Run:
    chip = load_chip("bow").replace(n_tiles=16, **fields)
    return ipusim.simulate(_workload(mode, block_size, density), chip, explain=False)


def _performed(run: Run) -> tuple[int, int]:
    """Return the operations of the multiplying vertices on the AMP and on the vector path."""
    assert run.compiled.program is not None
    amp = vector = 0
    for step, count in run.compiled.program.supersteps():
        for vertices in step.compute:
            if vertices.label in {"amp", "multiply"}:
                work = codelet(vertices.codelet).work(vertices, run.compiled.chip, Traffic(0, 0, 0))
                amp, vector = amp + count * work.amp_flops, vector + count * work.vector_flops
    return amp, vector


@pytest.mark.parametrize(("mode", "block_size"), CASES)
def test_components_and_ops_add_up(mode: str, block_size: int) -> None:
    run = _run(mode, block_size)
    energy = run.energy_by_component
    assert energy is not None
    assert tuple(energy) == COMPONENTS
    assert all(joules >= 0 for joules in energy.values())
    assert sum(energy.values()) == run.energy_j
    assert sum(op["energy_j"] for op in run.ops) == pytest.approx(run.energy_j)
    assert energy["static"] == pytest.approx((static_power_w(run.compiled.chip) or 0) * (run.seconds or 0))


@pytest.mark.parametrize(("mode", "block_size"), CASES)
def test_only_the_static_part_depends_on_the_clock(mode: str, block_size: int) -> None:
    slow, fast = (_run(mode, block_size, clock_hz=hertz).energy_by_component for hertz in ("1 GHz", "2 GHz"))
    assert slow is not None
    assert fast is not None
    assert slow.pop("static") == pytest.approx(2 * fast.pop("static"))
    assert slow == fast


@pytest.mark.parametrize(("mode", "block_size"), CASES)
def test_every_non_zero_is_multiplied_once(mode: str, block_size: int) -> None:
    run = _run(mode, block_size)
    amp, vector = _performed(run)
    assert (amp > 0) != (vector > 0)
    assert (amp > 0) == (mode == "dense" or block_size > 1)
    assert amp + vector >= run.flops
    if mode != "dense":
        assert amp + vector == run.flops


@pytest.mark.parametrize("block_size", [1, 4, 16])
def test_every_non_zero_of_a_gradient_is_computed_once(block_size: int) -> None:
    weights = {"mode": "dynamic", "block_size": block_size, "density": "1/4", "pattern": "random"}
    workload = {
        "name": "gradient",
        "dtype": "float16",
        "tensors": {"dy": {"shape": [64, 32]}, "x": {"shape": [64, 32]}, "w": {"shape": [64, 64], "sparsity": weights}},
        "ops": [{"op": "matmul_at_nonzeros", "inputs": ["dy", "x", "w"], "output": "dw"}],
        "outputs": ["dw"],
    }
    run = ipusim.simulate(workload, load_chip("bow").replace(n_tiles=16), explain=False)
    assert sum(_performed(run)) == run.flops
    assert run.energy_j is not None


@pytest.mark.parametrize(("mode", "block_size"), CASES[1:])
def test_fewer_non_zeros_take_less(mode: str, block_size: int) -> None:
    more, fewer = (_run(mode, block_size, density).energy_by_component for density in ("1/2", "1/8"))
    assert more is not None
    assert fewer is not None
    assert fewer["arithmetic"] < more["arithmetic"]


@given(st.lists(st.integers(0, 1000), min_size=2, max_size=8), st.data())
def test_fewer_blocks_in_the_same_vertices_never_take_more_arithmetic(blocks: list[int], data: st.DataObject) -> None:
    def arithmetic(counts: list[int]) -> float:
        fields = {"blocks": np.array(counts), "cols": np.full(len(counts), 16), "rows": np.ones(len(counts), np.int64)}
        settings = {"inputs": "float16", "partials": "float16", "block_size": 4}
        vertices = VertexSet("static_block", "multiply", np.zeros(len(counts), np.int32), fields, (), settings)
        return work_energy(codelet("static_block").work(vertices, TINY, Traffic(0, 0, 0)), TINY).arithmetic

    fewer = [data.draw(st.integers(0, count)) for count in blocks]
    assert arithmetic(fewer) <= arithmetic(blocks)


@given(COUNTS, COUNTS, COUNTS, COUNTS)
def test_more_bytes_never_take_less(read: int, written: int, sent: int, received: int) -> None:
    work = Work("float16", "float16", read_bytes=read, written_bytes=written)
    base, moved = work_energy(work, TINY).total, exchange_energy(sent, received, TINY).total
    assert work_energy(replace(work, read_bytes=read + 1), TINY).total >= base
    assert work_energy(replace(work, written_bytes=written + 64), TINY).total >= base
    assert exchange_energy(sent + 1, received, TINY).total >= moved
    assert exchange_energy(sent, received + 64, TINY).total >= moved


def test_the_same_workload_takes_the_same_energy() -> None:
    first, second = _run("static", 4), _run("static", 4)
    assert first.energy_by_component == second.energy_by_component
