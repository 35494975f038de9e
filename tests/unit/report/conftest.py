import copy

import pytest

_RESULT = {
    "schema": "ipusim-result-1",
    "workload": "quickstart",
    "chip": "bow",
    "options": {},
    "seed": 0,
    "versions": {"ipusim": "0.1.0"},
    "cycles": 66304,
    "seconds": 66304 / 1.85e9,
    "flops": 8589934592,
    "tflops": 239.67,
    "peak_tflops": 348.6,
    "fraction_of_peak": 0.6875,
    "energy_j": None,
    "cycles_by_phase": {"compute": 47010, "exchange": 18210, "sync": 1084},
    "supersteps": 14,
    "tiles_used": 1440,
    "idle_fraction": 0.121,
    "memory": {
        "tile_sram_bytes": 638976,
        "max_tile_bytes": 421888,
        "total_bytes": 560123456,
        "fits": True,
        "worst_tile": 17,
        "by_category": {"partials": 100000, "tensors": 300000, "code": 21888, "host": 0},
    },
    "ops": [
        {
            "name": "y",
            "op": "matmul",
            "cycles": 64000,
            "flops": 8585740288,
            "plan": {
                "strategy": "dense",
                "partition": {"p_groups": 1, "p_m": 23, "p_k": 4, "p_n": 16},
                "serial": {"s_k": 1, "s_n": 1},
                "vertex": "amp_1x1",
                "grain": {"inner": 16, "outer": 16},
                "swapped": False,
                "tiles_used": 1472,
                "estimated_cycles": 63000,
                "runners_up": [],
            },
            "bytes_exchanged": 123456789,
            "terms": {"cast": 100, "amp": 40000, "inputs": 12000, "reduce": 5000, "sync": 900},
            "imbalance": 0.1,
        },
        {
            "name": "z",
            "op": "add",
            "cycles": 2304,
            "flops": 4194304,
            "plan": {},
            "bytes_exchanged": 0,
            "terms": {"add": 2304},
            "imbalance": 0.0,
        },
    ],
    "insights": [
        {"change": "twice the SRAM", "cycles": 63652, "relative": -0.04},
        {"change": "exchange for free", "cycles": 45750, "relative": -0.31},
        {"change": "twice the workers", "cycles": 66304, "relative": 0.0},
    ],
    "check": {
        "executed": True,
        "passed": True,
        "max_abs_error": 0.0123,
        "max_rel_error": 3.1e-4,
        "tolerance": 7.8e-3,
        "checked_fraction": 1.0,
        "worst_op": "y",
    },
    "infeasible": None,
    "not_modelled": ["host transfers"],
    "assumed_constants": 7,
}


@pytest.fixture
def result():
    return copy.deepcopy(_RESULT)


@pytest.fixture
def infeasible(result):
    for key in ("cycles", "seconds", "tflops", "fraction_of_peak", "idle_fraction", "tiles_used"):
        result[key] = None
    result["ops"] = []
    result["check"]["executed"] = False
    result["infeasible"] = {
        "constraint": "tile memory",
        "demand_bytes": 1258291,
        "capacity_bytes": 638976,
        "gap_bytes": 619315,
        "tile": 17,
        "terms": {"partials": 258291, "tensors": 1000000},
        "levers": [
            "float16 instead of float32 partials saves 126 KiB on each tile",
            "a chip with at least 2,900 tiles",
        ],
    }
    return result
