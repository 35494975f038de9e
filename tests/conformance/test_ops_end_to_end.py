"""Every elementwise operator, executed with the residency check, against its float64 reference."""

from __future__ import annotations

import pytest

import ipusim
from ipusim.ops.registry import find_op, op_names

CHIP = ipusim.load_chip("tiny", tile_sram_bytes="256 KiB")
MAPS = [name for name in op_names() if find_op(name).family == "map"]
REQUIRED = {"pow": {"exponent": 1.5}}
BROADCASTS = [((3, 5, 8), (3, 5, 8)), ((3, 5, 8), (8,)), ((3, 1, 8), (3, 5, 8)), ((1,), (3, 5, 8)), ((3, 1, 8), (5, 1))]


@pytest.mark.parametrize("dtype", ["float16", "float32"])
@pytest.mark.parametrize("name", MAPS)
def test_values_agree_for_every_broadcast(name, dtype):
    spec = find_op(name)
    cases = BROADCASTS if len(spec.inputs) == 2 else [((3, 5, 8),)]
    tensors, ops = {}, []
    for number, shapes in enumerate(cases):
        names = [f"{operand}{number}" for operand in spec.inputs]
        tensors |= {each: {"shape": list(shape)} for each, shape in zip(names, shapes, strict=True)}
        ops.append({"op": name, "inputs": names, "output": f"y{number}", **REQUIRED.get(name, {})})
    workload = {"name": "every", "dtype": dtype, "tensors": tensors, "ops": ops}
    run = ipusim.simulate(workload, CHIP, execute=True, verify=True, threads=1, explain=False)
    assert run.check["passed"]
    # roots and logarithms of negative numbers are compared with nothing
    assert run.check["checked_fraction"] > 0.35
    assert all(op["cycles"] > 0 for op in run.ops)
