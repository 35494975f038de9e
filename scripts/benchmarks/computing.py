"""Execution of products beside NumPy and SciPy."""

from __future__ import annotations

from typing import Any

import numpy as np
import scipy.sparse

from benchmarks.measuring import Figures, matmul, seconds
from ipusim.engine.execution import execute_program
from ipusim.frontends.patterns import sparse_values
from ipusim.frontends.values import tensor_values
from ipusim.pipeline import Compiled, compile_workload


def dense_execution() -> Figures:
    """Dense products in the program's order, float32, beside numpy.matmul"""
    figures: Figures = {}
    for size in (1024, 4096):
        compiled, values = _compiled_with_values(matmul(size, size, size, "float32"))
        left, right = values["w"], values["x"]
        ours = seconds(lambda c=compiled, v=values: _execute(c, v), 2)
        theirs = seconds(lambda a=left, b=right: a @ b, 2)
        figures[f"{size}-cube, ipusim (s)"] = ours
        figures[f"{size}-cube, speed relative to numpy"] = theirs / ours
    return figures


def sparse_execution() -> Figures:
    """Static sparse products at 4096, n = 256, d = 1/16, float32, beside scipy.sparse"""
    figures: Figures = {}
    for block in (1, 4, 8, 16):
        sparsity = {"density": "1/16", "block_size": block, "mode": "static"}
        compiled, values = _compiled_with_values(matmul(4096, 4096, 256, "float32", sparsity=sparsity))
        csr = scipy.sparse.csr_array(values["w"])
        layouts = {"CSR": csr} if block == 1 else {"CSR": csr, "BSR": csr.tobsr((block, block))}
        dense = values["x"]
        ours = seconds(lambda c=compiled, v=values: _execute(c, v))
        figures[f"b = {block}, ipusim (s)"] = ours
        for name, matrix in layouts.items():
            theirs = seconds(lambda m=matrix, d=dense: m @ d)
            figures[f"b = {block}, speed relative to scipy.sparse {name}"] = theirs / ours
    return figures


def _compiled_with_values(workload: dict[str, Any]) -> tuple[Compiled, dict[str, Any]]:
    compiled = compile_workload(workload)
    values = {}
    for name in compiled.graph.inputs:
        tensor = compiled.graph.tensors[name]
        values[name] = (sparse_values if tensor.sparsity else tensor_values)(tensor, 0)
    _execute(compiled, values)
    return compiled, values


def _execute(compiled: Compiled, values: dict[str, Any]) -> dict[str, np.ndarray]:
    assert compiled.program is not None
    return execute_program(compiled.program, values, 1)
