"""Sum of the partial results of a convolution or matrix product, element by element."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ipusim.chip.model import Chip
from ipusim.codelets.cast_1d import planner_cast_cycles
from ipusim.codelets.registry import Codelet
from ipusim.codelets.work import Traffic, vector_work
from ipusim.cost.arithmetic import bit_count, ceil_div
from ipusim.cost.energy import Work
from ipusim.cost.reduction import reduction_stages, single_input_allowed
from ipusim.ir.program import VertexSet


def single_input_cycles(
    outputs: int, depth: int, float_out: bool, float_partials: bool, fast: bool, workers: int
) -> int:
    """Return the supervisor cycles of the vertex that reads its partials as one block.

    Parameters
    ----------
    outputs : int
        Elements produced on the tile, a multiple of 4 (32-bit partials) or 8.
    depth : int
        Partials read per element from the block. In a convolution that is one less than the depth of the reduction:
        the tile's own partial is in place.
    float_out, float_partials : bool
        32-bit rather than 16-bit.
    fast : bool
        Partials in interleaved memory: 128 bits a cycle.
    workers : int
        Worker contexts of a tile.

    Notes
    -----
    Source: poplibs lib/poplin/PerformanceEstimation.hpp (dense reference, section 2.10).
    """
    width = 4 if float_partials else 8
    loop = 1 if fast else 2
    overhead = (8 if float_partials else 10) - (0 if float_out else 1)
    return 33 + workers * (20 + (loop * depth + overhead) * ceil_div(outputs // width, workers))


def multi_input_cycles(outputs: int, depth: int, float_out: bool, float_partials: bool, workers: int) -> int:
    """Return the supervisor cycles of the vertex that reads every partial through a pointer of its own.

    Parameters
    ----------
    outputs : int
        Elements produced on the tile.
    depth : int
        Partials of each of them.
    float_out, float_partials : bool
        32-bit rather than 16-bit.
    workers : int
        Worker contexts of a tile.

    Notes
    -----
    Source: poplibs lib/poplin/PerformanceEstimation.hpp (dense reference, section 2.10). A left-over narrower than
    the accumulators costs two cycles per partial and 13 (32-bit partials) or 11 more, once.
    """
    width = 4 if float_partials else 8
    remainder = outputs % width
    loops = outputs // width + bit_count(remainder)
    share = loops // workers
    slots = 32
    if loops % workers and remainder:
        slots += 2 * depth + (13 if float_partials else 11)
    elif loops % workers:
        share += 1
    overhead = (7 if float_partials else 9) - (0 if float_out else 1)
    return workers * (slots + (3 * depth + overhead) * share)


def vertex_cycles(
    outputs: int,
    depth: int,
    float_out: bool,
    float_partials: bool,
    fast: bool,
    tile_sram_bytes: int,
    memory_element_bytes: int,
    workers: int,
) -> int:
    """Return the supervisor cycles of one stage of `depth` partials, with the quicker of the vertices that are allowed.

    The rule for the single-input vertex stands in :func:`ipusim.cost.reduction.single_input_allowed`; with the six
    workers it is published for, it is the quicker one wherever both are possible.
    """
    if depth <= 1:
        return 0
    several = multi_input_cycles(outputs, depth, float_out, float_partials, workers)
    if not single_input_allowed(outputs, depth, float_partials, fast, tile_sram_bytes, memory_element_bytes):
        return several
    return min(several, single_input_cycles(outputs, depth - 1, float_out, float_partials, fast, workers))


def conv_reduce_cycles(
    outputs: int,
    depth: int,
    float_out: bool,
    float_partials: bool,
    fast: bool,
    in_channel_serial: int,
    multi_stage: bool,
    tile_sram_bytes: int,
    memory_element_bytes: int,
    workers: int,
    data_path_bytes: int = 8,
) -> int:
    """Return the supervisor cycles of all stages of the reduction of a convolution.

    Parameters
    ----------
    outputs : int
        Elements that a tile holds after the reduction: ``ceil(partials per tile / depth)``.
    depth : int
        Tiles whose partials are added. At 1 only a change of format remains, and not even that when the input
        channels are split serially.
    float_out, float_partials : bool
        32-bit rather than 16-bit. All stages but the last leave partials.
    fast : bool
        Fast reduction asked for.
    in_channel_serial : int
        Serial split of the input channels.
    multi_stage : bool
        Allow more than one stage.
    tile_sram_bytes, memory_element_bytes : int
        Memory of a tile and of one of its memory elements.
    workers : int
        Worker contexts of a tile.
    data_path_bytes : int
        Width of the loads and stores of a change of format.

    Notes
    -----
    Source: poplibs lib/poplin/ConvModel.cpp (dense reference, section 2.10).
    """
    if depth <= 1:
        if depth < 1 or float_out == float_partials or in_channel_serial > 1:
            return 0
        vectors = (data_path_bytes // (4 if float_partials else 2), data_path_bytes // (4 if float_out else 2))
        return planner_cast_cycles(outputs, vectors[0], vectors[1], workers)
    size_1, depth_1, size_2, depth_2, size_3, depth_3 = reduction_stages(outputs, depth, multi_stage)
    out_1 = float_partials if depth_2 else float_out
    out_2 = float_partials if depth_3 else float_out
    total = vertex_cycles(size_1, depth_1, out_1, float_partials, fast, tile_sram_bytes, memory_element_bytes, workers)
    total += vertex_cycles(size_2, depth_2, out_2, float_partials, fast, tile_sram_bytes, memory_element_bytes, workers)
    total += vertex_cycles(
        size_3, depth_3, float_out, float_partials, fast, tile_sram_bytes, memory_element_bytes, workers
    )
    return total


def _cycles(fields: Mapping[str, int], settings: Mapping[str, Any], chip: Any) -> int:
    return vertex_cycles(
        fields["outputs"],
        fields["depth"],
        settings["output"] == "float32",
        settings["partials"] == "float32",
        bool(settings.get("fast", False)),
        chip.tile_sram_bytes,
        chip.sram_element_bytes,
        chip.worker_contexts,
    )


def _work(vertices: VertexSet, chip: Chip, traffic: Traffic) -> Work:  # noqa: ARG001
    additions = int((vertices.fields["outputs"] * (vertices.fields["depth"] - 1)).sum())
    return vector_work(str(vertices.settings["partials"]), additions, traffic.read_bytes, traffic.written_bytes)


CODELET = Codelet(
    name="reduce_add",
    fields=("outputs", "depth"),
    cycles=_cycles,
    source="poplibs poplin ReduceAdd estimate",
    work=_work,
)
