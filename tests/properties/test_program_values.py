"""Programs with any split compute the right values, each vertex reading only what its tile holds."""

import numpy as np
from handmade import cases
from hypothesis import assume, given, settings
from hypothesis import strategies as st

import ipusim
from ipusim.chip.load import load_chip
from ipusim.engine.execution import execute_program

CHIPS = (
    load_chip("tiny", tile_sram_bytes="1 MiB"),
    load_chip("tiny", n_tiles=24, tile_sram_bytes="1 MiB"),
    load_chip("bow", n_tiles=64),
)


@given(cases(most_inner=150), st.integers(0, 1000))
@settings(max_examples=50, deadline=None)
def test_a_product_of_small_integers_is_exact_for_any_split(case, seed):
    # Sums of at most 150 products up to 9 are exact in half precision, whatever their order: 1350 < 2048.
    problem, random = case.problem, np.random.default_rng(seed)
    left = random.integers(-3, 4, (problem.groups, problem.m, problem.k)).astype(np.float32)
    right = random.integers(-3, 4, (problem.groups, problem.k, problem.n)).astype(np.float32)
    result = execute_program(case.program, {"w": left, "x": right}, threads=1, verify=True)["y"]
    assert np.array_equal(result.reshape(problem.groups, problem.m, problem.n), left @ right)


@st.composite
def graphs(draw):
    """Draw a chain of matmuls, biases, activations and casts, with batches and transposed operands."""
    extent = st.integers(1, 24)
    batch = draw(st.sampled_from(([], [], [3], [2, 2])))
    rows, cols = draw(extent), draw(extent)
    tensors = {"t0": {"shape": [*batch, rows, cols], "init": "uniform"}}
    ops, current, dtype = [], "t0", draw(st.sampled_from(("float16", "float32")))
    start = dtype
    for index in range(draw(st.integers(1, 4))):
        kind = draw(st.sampled_from(("matmul", "matmul", "bias", "relu", "cast")))
        other, output = f"o{index}", f"t{index + 1}"
        if kind == "matmul":
            width, flip = draw(extent), draw(st.booleans())
            shared = draw(st.booleans())
            shape = [*(() if shared else batch), *((width, cols) if flip else (cols, width))]
            tensors[other] = {"shape": shape, "init": "uniform", "dtype": dtype}
            op = {"op": "matmul", "inputs": [current, other], "transpose_b": flip}
            cols = width
        elif kind == "bias":
            shape = draw(st.sampled_from(([rows, 1], [1, cols], [cols], [rows, cols], [1], [*batch, rows, 1])))
            tensors[other] = {"shape": shape, "init": "uniform", "dtype": dtype}
            op = {"op": "add", "inputs": [current, other]}
        elif kind == "relu":
            op = {"op": "relu", "inputs": [current]}
        else:
            dtype = draw(st.sampled_from(("float16", "float32")))
            op = {"op": "cast", "inputs": [current], "to": dtype}
        ops.append({**op, "name": f"op{index}", "output": output})
        current = output
    return {"name": "chain", "dtype": start, "tensors": tensors, "ops": ops, "outputs": [current]}


@given(graphs(), st.sampled_from(CHIPS), st.sampled_from((0.6, 0.02)))
@settings(max_examples=50, deadline=None)
def test_chains_of_operators_pass_their_check_and_add_up(graph, chip, proportion):
    workload = graph | {"compile": {"available_memory_proportion": proportion}}
    run = ipusim.simulate(workload, chip, execute=True, verify=True, threads=1, explain=False)
    assume(run.infeasible is None)
    assert run.check["passed"], run.check
    assert sum(op["cycles"] for op in run.ops) == run.cycles == sum(run.cycles_by_phase.values())
    assert run.memory["max_tile_bytes"] <= chip.tile_sram_bytes
