"""``model: {scale-sim: FILE}``: the layers of a SCALE-Sim topology file, one after the other.

Such a file has a line per layer: ``Layer, M, N, K`` for a product of M input rows, N filters and K elements of each, or
the extents of a convolution without padding. Layers have tensors of their own: what one computes is not what the next
one reads.
"""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field

from ipusim.files.wording import FieldError, FieldsError
from ipusim.frontends.entries import Entry
from ipusim.frontends.models.scale_sim_file import Layer, TopologyError, read_layers
from ipusim.frontends.models.source import Generated, ModelContext, ModelSource


class Options(Entry):
    """Of the layers in a SCALE-Sim topology file."""

    file: str = Field(
        description="A topology file (.csv): layers as products (M, N, K) or as convolutions", min_length=1
    )
    memory: Literal["sram", "dram"] = Field(
        default="sram", description="Where inputs and dense filters lie; from dram they stream in, layer by layer"
    )


def _build(options: Options, context: ModelContext) -> Generated:
    try:
        layers = read_layers(context.folder / options.file)
    except TopologyError as error:
        raise FieldsError(FieldError(message, path=("file",)) for message in error.messages) from None
    tensors: dict[str, dict[str, Any]] = {}
    ops: list[dict[str, Any]] = []
    for layer in layers:
        _add(layer, options.memory, tensors, ops)
    weights = frozenset(f"{layer.name}.filters" for layer in layers)
    return Generated(tensors, ops, [op["output"] for op in ops], weights)


def _add(layer: Layer, memory: str, tensors: dict[str, dict[str, Any]], ops: list[dict[str, Any]]) -> None:
    """Add a layer: filters [N, K] times input [K, M], or a convolution of one image."""
    names = [f"{layer.name}.filters", f"{layer.name}.input"]
    shapes = (layer.filters, layer.input)
    for name, shape in zip(names, shapes, strict=True):
        tensors[name] = {"shape": list(shape), **({"memory": memory} if memory != "sram" else {})}
    if layer.kept is not None:
        n, m = layer.kept
        tensors[names[0]] = {"shape": list(layer.filters), "sparsity": {"pattern": {"n_m": {"n": n, "m": m}}}}
    if layer.is_product:
        ops.append({"op": "matmul", "inputs": names, "output": layer.name})
        return
    attributes: dict[str, Any] = {"stride": list(layer.stride)}
    if any(layer.padding):
        attributes["padding"] = list(layer.padding)
    if layer.groups > 1:
        attributes["groups"] = layer.groups
    ops.append({"op": "conv2d", "inputs": names[::-1], "output": layer.name, **attributes})


MODEL = ModelSource("scale-sim", "The layers of a SCALE-Sim topology file", Options, _build, shorthand="file")
