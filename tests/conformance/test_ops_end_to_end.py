"""Every operator, executed with the residency check, against its float64 reference."""

from __future__ import annotations

import numpy as np
import pytest

import ipusim
from ipusim.engine.execution import execute_program
from ipusim.engine.repeating import Repeated
from ipusim.formats import number_format, round_to_format
from ipusim.frontends.values import tensor_values
from ipusim.ops.registry import find_op, op_names

CHIP = ipusim.load_chip("tiny", tile_sram_bytes="256 KiB")
WIDE = ipusim.load_chip("tiny", n_tiles=24, tile_sram_bytes="256 KiB")
MODES = [
    {"units": 16, "in_channels": 16, "cycles_per_row": 4, "worker_fill_slots": 18.5, "inputs": inputs, "partials": sums}
    for inputs, sums in (("float8", "float16"), ("float16", "float32"), ("bfloat16", "float32"))
]
NARROW = ipusim.load_chip(
    {"extends": "c600", "name": "narrow", "amp_modes": {"value": MODES, "source": "what-if", "confidence": "assumed"}},
    n_tiles=24,
)
BROADCASTS = [((3, 5, 8), (3, 5, 8)), ((3, 5, 8), (8,)), ((3, 1, 8), (3, 5, 8)), ((1,), (3, 5, 8)), ((3, 1, 8), (5, 1))]
REDUCED = [{"axes": [-1]}, {"axes": [0], "keepdims": True}, {"axes": [0, 2]}, {}, {"axes": [1]}]
CHANNELS = ((2, 6, 4, 4), *[(6,)] * 4)
ROWS = ((4, 6, 40), (40,), (40,))
BLUR = [[1 / 16, 1 / 8, 1 / 16], [1 / 8, 1 / 4, 1 / 8], [1 / 16, 1 / 8, 1 / 16]]
CASES = {
    "pow": [(((3, 5, 8),), {"exponent": 1.5})],
    "activation_gradient": [
        (((3, 5, 8),) * 2, {"function": name}) for name in ("relu", "sigmoid", "tanh", "gelu", "gelu_erf", "swish")
    ],
    "softmax": [(((3, 4, 40),), {}), (((3, 4, 16),), {"axis": 1})],
    "layer_norm": [(ROWS, {})],
    "rms_norm": [(ROWS[:2], {})],
    "batch_norm": [(CHANNELS, {})],
    "batch_norm_training": [(CHANNELS[:3], {})],
    "transpose": [(((3, 5, 8),), {}), (((3, 5, 8),), {"axes": [1, 0, 2]})],
    "slice": [
        (((3, 5, 8),), {"axis": 2, "start": 1, "end": -1, "step": 2}),
        (((3, 5, 8),), {"axis": [0, -1], "start": [1, -2], "end": [3, 2147483648], "step": [1, -3]}),
    ],
    "concat": [(((3, 5, 8), (3, 2, 8)), {"axis": 1}), (((2, 5), (3, 5), (1, 5)), {})],
    "clip": [(((3, 5, 8),), {"low": 0.75, "high": 1.25})],
    "where": [(((3, 5, 8), (8,), (3, 1, 1)), {}), (((5, 1), (3, 5, 8), (3, 5, 8)), {})],
    "broadcast_to": [(((5, 1),), {"shape": [3, 5, 8]})],
    "log_softmax": [(((3, 4, 40),), {})],
    "group_norm": [((CHANNELS[0], (6,), (6,)), {"groups": 3})],
    "depth_to_space": [(((2, 8, 3, 2),), {"block": 2}), (((2, 8, 3, 2),), {"block": 2, "order": "channels_first"})],
    "global_avg_pool": [(((2, 6, 4, 4),), {})],
    "pad": [(((3, 5),), {"before": [1, 0], "after": [0, 2], "value": 2.0})],
    "attention": [
        (((4, 6, 8), (4, 6, 8), (4, 6, 8)), {}),
        (((2, 4, 6, 8), (2, 2, 9, 8), (2, 2, 9, 4)), {"causal": True}),
    ],
    "cross_entropy": [(((3, 4, 10),) * 2, {})],
    "gather": [(((9, 20), (2, 5)), {}), (((3, 7, 8), (4,)), {"axis": 1}), (((3, 4, 30), (6,)), {"axis": -1})],
    "scatter_add": [(((9, 20), (2, 5, 20), (2, 5)), {}), (((3, 7, 8), (3, 14, 8), (14,)), {"axis": 1})],
    "top_k": [
        (((6, 5, 8),), {"k": 3}),
        (((1, 120),), {"k": 2, "result": "indices"}),
        (((3, 5, 8),), {"k": 5, "axis": 1, "smallest": True}),
    ],
    "one_hot": [(((5, 3),), {"depth": 9, "to": "float32"})],
    "argmax": [(((6, 5, 8),), {}), (((1, 400),), {"keepdims": True}), (((3, 5, 8),), {"axis": 0})],
    "spmv": [(((5, 8), (8,)), {}), (((5, 8), (5,)), {"transpose": True})],
    "stencil2d": [
        (((9, 10),), {"coefficients": BLUR}),
        (((9, 11, 4),), {"coefficients": BLUR, "boundary": "periodic", "repeat": 4}),
        (((5, 6, 2),), {"coefficients": [[0.04] * 5] * 5, "boundary": "constant", "value": 0.5, "repeat": 3}),
    ],
    "stencil3d": [(((5, 6, 7, 2),), {"coefficients": [BLUR] * 3, "repeat": 2})],
    "reshape": [(((3, 5, 8),), {"shape": [-1, 10]})],
    "conv1d": [(((2, 4, 9), (6, 4, 3)), {"padding": [1, 0]}), (((2, 4, 9), (6, 2, 3)), {"groups": 2, "stride": 2})],
    "conv2d": [
        (((2, 3, 7, 6), (5, 3, 3, 2)), {"padding": [1, 0, 2, 1], "stride": [2, 1]}),
        (((1, 6, 5, 5), (6, 1, 3, 3)), {"padding": 1, "groups": 6}),
        (((2, 8, 4, 4), (4, 8, 1, 1)), {}),
    ],
    **{f"{kind}_pool1d": [(((2, 3, 9),), {"kernel": 3, "stride": 2, "padding": 1})] for kind in ("avg", "max")},
    **{f"{kind}_pool2d": [(((2, 3, 9, 8),), {"kernel": [3, 2], "stride": 2, "padding": 1})] for kind in ("avg", "max")},
}
COMPOSITE_ROUNDINGS = 16
"""More than a composite of the list rounds on the way of one element."""

PRODUCTS_WITHIN = {"attention"}
"""Operators that take what they have computed themselves as operands of products, with 8 bits if the others have."""

UNTESTED = {"cast", "matmul", "matmul_at_nonzeros"}
"""Operators that the property tests run in all their variants."""


def cases(name):
    spec = find_op(name)
    if name in CASES:
        return CASES[name]
    if spec.family == "reduce":
        return [(((6, 5, 24),), attrs) for attrs in REDUCED]
    return [(shapes, {}) for shapes in (BROADCASTS if len(spec.inputs) == 2 else [((3, 5, 8),)])]


def build(name, dtype, folder):
    """Return a workload with all cases of an operator, its ops, and the values of its inputs."""
    spec = find_op(name)
    tensors, ops, arrays = {}, [], {}
    rng = np.random.default_rng(0)
    for number, (shapes, attrs) in enumerate(cases(name)):
        names = [f"{operand}{number}" for operand in (*spec.inputs, "further")[: len(shapes)]]
        for position, (each, shape) in enumerate(zip(names, shapes, strict=True)):
            # between 1/2 and 3/2, where no operator has a pole
            arrays[each] = round_to_format(0.5 + rng.random(shape), dtype)
            if position in spec.whole_inputs:
                arrays[each] = rng.integers(0, 7, shape).astype(np.float32)
            np.save(folder / f"{each}.npy", arrays[each].astype(np.float32))
            tensors[each] = {"shape": list(shape), "init": {"file": str(folder / f"{each}.npy")}}
            tensors[each] |= {"dtype": "int32"} if position in spec.whole_inputs else {}
        ops.append({"op": name, "inputs": names, "output": f"y{number}", **attrs})
    return {"name": "every", "dtype": dtype, "tensors": tensors, "ops": ops}, arrays


@pytest.mark.parametrize(
    ("chip", "dtype"),
    [
        (CHIP, "float16"),
        (WIDE, "float32"),
        (NARROW, "bfloat16"),
        (NARROW, "float8_e4m3fnuz"),
        (NARROW, "float8_e5m2fnuz"),
    ],
)
@pytest.mark.parametrize("name", [name for name in op_names() if name not in UNTESTED])
def test_values_agree_with_the_reference(name, chip, dtype, tmp_path):
    spec = find_op(name)
    workload, arrays = build(name, dtype, tmp_path)
    run = ipusim.simulate(workload, chip, execute=True, verify=True, threads=1, explain=False)
    assert run.check["passed"]
    assert run.check["checked_fraction"] == 1.0 or spec.family == "view"
    for number, (op, (_, attrs)) in enumerate(zip(workload["ops"], cases(name), strict=True)):
        known = {each.name: each.default for each in spec.attributes}
        known |= {key: tuple(value) if isinstance(value, list) else value for key, value in attrs.items()}
        reference = spec.reference(tuple(arrays[each].astype(np.float64) for each in op["inputs"]), known)
        narrow = number_format(dtype).bytes == 1 and name not in PRODUCTS_WITHIN
        roundoff = number_format("float16" if narrow else dtype).unit_roundoff
        scale = np.abs(reference).max() + 1.0
        assert np.abs(run.outputs[f"y{number}"] - reference).max() <= COMPOSITE_ROUNDINGS * roundoff * scale


@pytest.mark.parametrize("name", [name for name in op_names() if name not in UNTESTED])
def test_a_program_that_runs_again_looks_at_the_new_values(name, tmp_path):
    workload, arrays = build(name, "float16", tmp_path)
    compiled = ipusim.compile(workload, CHIP)
    graph, program = compiled.graph, compiled.program
    values = {each: tensor_values(graph.tensors[each], graph.seed) for each in graph.inputs} | arrays
    others = values | {each: array[::-1].copy() for each, array in arrays.items()}
    repeated = Repeated(program, {each: graph.tensors[each].shape for each in program.outputs})
    for now in (values, others, values):
        found, expected = repeated.run(now, 1), execute_program(program, now, 1)
        assert {each: array.tobytes() for each, array in found.items()} == {
            each: array.tobytes() for each, array in expected.items()
        }
