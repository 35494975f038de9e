"""From a model to the entries of a workload file, and to the values of its constants."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from ipusim.frontends.models.onnx.analysis import Analysis, analyse
from ipusim.frontends.models.onnx.convert import attention, places, pointwise, products, recurrent, statistics, windows
from ipusim.frontends.models.onnx.convert.conversion import Conversion, Converter
from ipusim.frontends.models.onnx.emitting import Emitter
from ipusim.frontends.models.onnx.indices import index_bounds
from ipusim.frontends.models.onnx.problems import ModelFileError, NodeError
from ipusim.frontends.models.source import Generated

CONVERTERS: dict[str, Converter] = {
    name: converter
    for table in (
        attention.TABLE, pointwise.TABLE, places.TABLE, products.TABLE, recurrent.TABLE, statistics.TABLE,
        windows.TABLE,
    )
    for name, converter in table.items()
}  # fmt: skip
"""Converter of every operator of ONNX that can depend on inputs."""


def analysis_of(path: Path, extents: Mapping[str, int]) -> Analysis:
    """Return what the model in a file computes; ModelFileError with all that is wrong with it."""
    return analyse(path, extents, CONVERTERS)


def import_graph(path: Path, extents: Mapping[str, int], dtype: str, source: Mapping[str, object]) -> Generated:
    """Return the entries of a workload file that stand for a model.

    Parameters
    ----------
    path : Path
        The ONNX file.
    extents : Mapping
        Of the open dimensions of its inputs, by name.
    dtype : str
        Number format of the workload.
    source : Mapping
        File and dimensions as the values of constants name them.

    Raises
    ------
    ModelFileError
        With every node and everything else that cannot be imported.
    """
    analysis = analysis_of(path, extents)
    emitter = Emitter(analysis, source, dtype, index_bounds(analysis))
    unknown: set[str] = set()
    problems: list[str] = []
    for node in analysis.nodes:
        if unknown.intersection(node.inputs):
            unknown.update(node.outputs)
            continue
        begin = len(emitter.ops)
        try:
            CONVERTERS[node.op](Conversion(node, emitter))
            emitter.settle(begin, node)
        except (NodeError, ValueError) as error:
            problems.append(node.says(error))
            unknown.update(node.outputs)
    if problems:
        raise ModelFileError(problems)
    return emitter.finish()
