"""What would help in the workload itself: levers of the compiler, a smaller batch, a smaller number format."""

from __future__ import annotations

from collections.abc import Iterator

from ipusim.errors import BadInputError
from ipusim.frontends.build import build_graph
from ipusim.frontends.entries import LEVERS
from ipusim.frontends.workload import load_workload
from ipusim.ir.graph import Graph
from ipusim.pipeline.compiling import Compiled, compile_graph, compile_to_fit

_FRACTIONS = (2, 4, 8, 16, 32, 64)
_MOST_INPUTS = 16


def compiler_levers(compiled: Compiled) -> list[str]:
    """Return the setting that lets the compiler make it fit, where the workload does not and that is enough."""
    if set(compiled.workload.compile.levers) == set(LEVERS) or not compiled.fits_dram:
        return []
    workload = load_workload(compiled.workload, ["compile.levers=auto"])
    return ["compile.levers=auto"] if compile_to_fit(workload, compiled.chip, compiled.graph).fits else []


def smaller_format(compiled: Compiled) -> list[str]:
    """Return half precision for what names no format, where that is enough."""
    if compiled.workload.dtype != "float32":
        return []
    return ["dtype=float16"] if _fits(compiled, "dtype=float16") else []


def smaller_batch(compiled: Compiled) -> list[str]:
    """Return the largest power-of-two fraction of the batch that fits, of an input or of the model."""
    for fraction in _FRACTIONS:
        for setting in _batches(compiled, fraction):
            if _fits(compiled, setting):
                return [f"{setting} (1/{fraction} of the batch)"]
    return []


def _fits(compiled: Compiled, setting: str) -> bool:
    graph = _graph(compiled, setting)
    if graph is None:
        return False
    workload = load_workload(compiled.workload, [setting])
    return compile_graph(workload, compiled.chip, graph, may_relax=False).fits


def _graph(compiled: Compiled, setting: str) -> Graph | None:
    """Return the graph of the workload with a setting, or None where that makes no sense."""
    try:
        return build_graph(load_workload(compiled.workload, [setting]))
    except BadInputError:
        return None


def _batches(compiled: Compiled, fraction: int) -> Iterator[str]:
    """Yield settings that make the batch a fraction of what it is."""
    model = compiled.workload.source.data.get("model")
    if isinstance(model, dict):
        for name, options in model.items():
            batch = options.get("batch") if isinstance(options, dict) else None
            if isinstance(batch, int) and batch % fraction == 0:
                yield f"model.{name}.batch={batch // fraction}"
        return
    declared = list(compiled.workload.tensors.items())
    for name, entry in reversed(declared[:_MOST_INPUTS]):
        for axis, extent in enumerate(entry.shape):
            if extent % fraction:
                continue
            shape = [*entry.shape[:axis], extent // fraction, *entry.shape[axis + 1 :]]
            setting = f"tensors.{name}.shape=[{','.join(map(str, shape))}]"
            if _scales(compiled, setting, fraction):
                yield setting


def _scales(compiled: Compiled, setting: str, fraction: int) -> bool:
    """Return whether all results, and of the inputs only one, become a fraction of what they were."""
    graph = _graph(compiled, setting)
    if graph is None or graph.tensors.keys() != compiled.graph.tensors.keys():
        return False
    results = (name for op in graph.ops for name in op.outputs)
    return all(graph.tensors[name].n_elements * fraction == compiled.graph.tensors[name].n_elements for name in results)
