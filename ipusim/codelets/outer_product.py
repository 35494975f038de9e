"""Outer product: matrix product with one input channel."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ipusim.chip.model import Chip
from ipusim.codelets.registry import Codelet
from ipusim.codelets.work import Traffic, vector_work
from ipusim.cost.arithmetic import ceil_div
from ipusim.cost.energy import Work
from ipusim.ir.program import VertexSet


def worker_cycles(width: int, channels: int, channel_groups: int, float_type: bool) -> int:
    """Return the slots of a worker for `width` field elements.

    Parameters
    ----------
    width : int
        Field elements of this worker.
    channels : int
        Output channels per group; whole vectors of at least 6 (32-bit) or 12 (16-bit) take the quick loop.
    channel_groups : int
        Groups of output channels.
    float_type : bool
        32-bit rather than 16-bit.

    Notes
    -----
    Source: poplibs lib/poplin/PerformanceEstimation.hpp (dense reference, section 2.8).
    """
    if float_type:
        quick = channels >= 6 and channels % 2 == 0
        per_element = 6 + (channels - 6) // 2 if quick else 10 + 2 * channels
        return 25 + channel_groups * (11 + width * per_element)
    quick = channels >= 12 and channels % 4 == 0
    per_element = 6 + (channels - 12) // 4 if quick else 10 + 5 * channels // 2
    return 25 + channel_groups * (10 + width * per_element)


def vertex_cycles(width: int, channels: int, channel_groups: int, float_type: bool, workers: int) -> int:
    """Return the supervisor cycles for `width` field elements shared by the workers."""
    return workers * worker_cycles(ceil_div(width, workers), channels, channel_groups, float_type)


def _cycles(fields: Mapping[str, int], settings: Mapping[str, Any], chip: Any) -> int:
    float_type = settings["dtype"] == "float32"
    return vertex_cycles(
        fields["width"], settings["channels"], fields["channel_groups"], float_type, chip.worker_contexts
    )


def _work(vertices: VertexSet, chip: Chip, traffic: Traffic) -> Work:  # noqa: ARG001
    settings: Any = vertices.settings
    products = int((vertices.fields["width"] * vertices.fields["channel_groups"]).sum()) * int(settings["channels"])
    return vector_work(str(settings["dtype"]), products, traffic.read_bytes, traffic.written_bytes)


CODELET = Codelet(
    name="outer_product",
    fields=("width", "channel_groups"),
    cycles=_cycles,
    source="poplibs OuterProduct estimate",
    work=_work,
)
