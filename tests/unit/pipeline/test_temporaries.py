"""The lever ``temporaries`` for the passes over sparse weights."""

import ipusim
from ipusim.chip.load import load_chip
from ipusim.pipeline.choice import Peak
from ipusim.pipeline.compiling import compile_graph, compile_workload
from ipusim.pipeline.temporaries import smaller_temporaries

CHIP = load_chip("bow").replace(n_tiles=16)


def passes(mode, levers, n=512, block_size=8):
    """The three passes over two weights of the same size."""
    sparsity = {"density": "1/4", "block_size": block_size, "mode": mode}
    tensors = {name: {"shape": [256, 256], "sparsity": sparsity} for name in "vw"}
    tensors |= {"x": {"shape": [256, n]}, "dy": {"shape": [256, n]}}
    ops = [
        {"op": "matmul", "inputs": ["v", "x"], "output": "h"},
        {"op": "matmul", "inputs": ["w", "h"], "output": "y"},
        {"op": "matmul", "inputs": ["w", "dy"], "output": "dh", "transpose_a": True},
        {"op": "matmul_at_nonzeros", "inputs": ["dy", "h", "w"], "output": "dw"},
        {"op": "matmul_at_nonzeros", "inputs": ["dh", "x", "v"], "output": "dv"},
    ]
    outputs = ["y", "dw", "dv"]
    compile_entry = {"levers": levers}
    return {
        "name": "passes",
        "dtype": "float16",
        "tensors": tensors,
        "ops": ops,
        "outputs": outputs,
        "compile": compile_entry,
    }


def narrower(n_bytes):
    return CHIP.replace(tile_sram_bytes=n_bytes, interleaved_sram_bytes=0, sram_element_bytes=1)


def test_a_static_gradient_is_cut_into_slices_where_it_does_not_fit():
    before = compile_workload(passes("static", "none"), CHIP)
    steps = [step for step, _ in before.program.supersteps()]
    assert steps[before.memory.peak_step[before.memory.worst_tile]].op in ("dw", "dv")
    # a fifth of the SRAM is set aside, and so is a fifth of what it loses
    chip = narrower(before.memory.max_tile_bytes - (CHIP.tile_sram_bytes - before.memory.max_tile_bytes) // 5 - 512)
    assert not compile_workload(passes("static", "none"), chip).fits
    after = compile_workload(passes("static", "auto"), chip)
    assert after.fits
    assert {lever.kind for lever in after.levers_taken} == {"temporaries"}
    assert {target for lever in after.levers_taken for target in lever.targets} <= {"dw", "dv"}
    assert max(after.plans[name].n_slices for name in ("dw", "dv")) > 1
    run = ipusim.simulate(passes("static", "auto"), chip, execute=True, verify=True, explain=False)
    assert run.check["passed"]


def test_all_passes_over_dynamic_weights_of_one_plan_are_planned_anew_together():
    compiled = compile_workload(passes("dynamic", "none"), CHIP)
    before = compiled.plans
    (candidate,) = smaller_temporaries(compiled, Peak(0, 0, "dw", 1024))
    assert set(candidate.lever.targets) == {"h", "y", "dh", "dw", "dv"}
    assert candidate.lever.bound == before["dw"].plan.temporary_bytes - 1024
    assert candidate.choice.temporaries == dict.fromkeys(candidate.lever.targets, candidate.lever.bound)
    after = compile_graph(compiled.workload, CHIP, compiled.graph, choice=candidate.choice)
    assert all(plan.plan == after.plans["dw"].plan for plan in after.plans.values())
    assert after.plans["dw"].plan.temporary_bytes <= candidate.lever.bound
    added = sum(after.plans[name].cycles - before[name].cycles for name in before)
    assert candidate.lever.added_cycles == max(0, added)
