"""What makes two simulations the same: the content of the chip and of the workload, and the model's own sources."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import replace
from functools import cache, lru_cache
from pathlib import Path
from typing import Any

from ipusim.ir.graph import Graph
from ipusim.ir.tensor import Tensor

FIGURES = 3
"""Number of the way in which figures are made and kept; another one makes all stored results those of another model."""

_WITHOUT_INFLUENCE = ("cli", "comparison", "exploration", "report", "validation")


@cache
def model_key() -> str:
    """Return a digest of the sources that simulations depend on, the same wherever the same sources are installed."""
    root = Path(__file__).parents[1]
    digest = hashlib.sha256(f"figures {FIGURES}".encode())
    for path in sorted(root.rglob("*.py"), key=lambda each: each.relative_to(root).as_posix()):
        name = path.relative_to(root)
        if name.parts[0] not in _WITHOUT_INFLUENCE:
            digest.update(f"\n{name.as_posix()}\n".encode())
            digest.update(path.read_bytes())
    return digest.hexdigest()[:32]


def graph_key(graph: Graph, options: object) -> str:
    """Return a digest of a graph (whatever it is called) with the content of the files of its patterns.

    Parameters
    ----------
    graph : Graph
    options : object
        Options of the compiler, whose ``repr`` names all of them.
    """
    tensors = [_content(tensor) for tensor in graph.tensors.values()]
    ops = [(op.name, op.kind, op.inputs, op.outputs, sorted(op.attrs.items())) for op in graph.ops]
    return digest_of((tensors, ops, graph.outputs, graph.seed, options))


def result_key(chip_key: str, workload_key: str) -> str:
    """Return the key of the simulation of a workload on a chip."""
    return digest_of((model_key(), chip_key, workload_key))


def digest_of(content: object) -> str:
    """Return a digest of an object whose ``repr`` names all its content."""
    return hashlib.sha256(repr(content).encode()).hexdigest()[:32]


def _content(tensor: Tensor) -> Tensor:
    """Return a tensor without its source of values (none are computed), and with digests in place of file names."""
    if tensor.sparsity is None:
        return replace(tensor, init=None)
    options: Mapping[str, Any] = dict(sorted(tensor.sparsity.options.items()))
    if "file" in options:
        path = Path(str(options["file"]))
        status = path.stat()
        options = {**options, "file": _file_digest(path, (status.st_size, status.st_mtime_ns))}
    return replace(tensor, init=None, sparsity=replace(tensor.sparsity, options=options))


@lru_cache(maxsize=64)
def _file_digest(path: Path, _state: tuple[int, int]) -> str:
    """Return a digest of a file in a state: its size and the time of its last change."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()[:32]
