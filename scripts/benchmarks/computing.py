"""Execution of products beside NumPy and SciPy."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import scipy.sparse

from benchmarks import peers
from benchmarks.measuring import Figures, beside, matmul, peak_mib, run_part, seconds
from ipusim.engine.execution import execute_program
from ipusim.frontends.patterns import sparse_values
from ipusim.frontends.values import tensor_values
from ipusim.pipeline import compile_workload

REPEATS = 3


def dense_execution() -> Figures:
    """Dense products in the program's order, float32, beside numpy.matmul"""
    figures: Figures = {}
    for size in (1024, 4096):
        with tempfile.TemporaryDirectory() as folder:
            ours = run_part(execute, matmul(size, size, size, "float32"), folder)
            theirs = run_part(peers.multiply, f"{folder}/w.npy", f"{folder}/x.npy")
        figures |= beside(f"{size}-cube", "numpy", ours, theirs)
    return figures


def sparse_execution() -> Figures:
    """Static sparse products at 4096, n = 256, d = 1/16, float32, beside scipy.sparse"""
    figures: Figures = {}
    for block in (1, 4, 8, 16):
        sparsity = {"density": "1/16", "block_size": block, "mode": "static"}
        with tempfile.TemporaryDirectory() as folder:
            ours = run_part(execute, matmul(4096, 4096, 256, "float32", sparsity=sparsity), folder)
            for layout in ("CSR",) if block == 1 else ("CSR", "BSR"):
                theirs = run_part(peers.multiply, f"{folder}/{layout}.npz", f"{folder}/x.npy")
                figures |= beside(f"b = {block}", f"scipy.sparse {layout}", ours, theirs)
    return figures


def execute(workload: dict[str, Any], folder: str) -> Figures:
    """Return the seconds of a product, compiled before, and the peak of memory; write its operands for others."""
    compiled = compile_workload(workload)
    values = {}
    for name in compiled.graph.inputs:
        tensor = compiled.graph.tensors[name]
        values[name] = (sparse_values if tensor.sparsity else tensor_values)(tensor, 0)
    program = compiled.program
    assert program is not None
    execute_program(program, values, 1)
    figures = {"s": seconds(lambda: execute_program(program, values, 1), REPEATS), "peak_mib": peak_mib()}
    np.save(Path(folder, "x.npy"), values["x"])
    sparsity = compiled.graph.tensors["w"].sparsity
    if sparsity is None:
        np.save(Path(folder, "w.npy"), values["w"])
        return figures
    csr = scipy.sparse.csr_array(values["w"])
    edge = sparsity.block_size
    scipy.sparse.save_npz(Path(folder, "CSR.npz"), csr, compressed=False)
    scipy.sparse.save_npz(Path(folder, "BSR.npz"), csr.tobsr((edge, edge)), compressed=False)
    return figures
