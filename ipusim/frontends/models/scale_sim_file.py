"""Reads SCALE-Sim topology files.

Source of the format: the topologies and ``topology_utils.py`` of SCALE-Sim v2. The number of windows of a convolution
is rounded up there (``ceil((input - filter + stride) / stride)``), so that the last one may lie over the edge; a layer
with ``DP`` in its name has its filters for every channel alone.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from ipusim.files.regular import open_regular
from ipusim.frontends.entries import MAX_EXTENT
from ipusim.frontends.models.names import Names

MAX_FILE_BYTES = 1 << 20
"""Largest file that is read: thousands of layers."""

_PRODUCT, _CONVOLUTION = 3, 7
_SPARSITY = re.compile(r"(\d{1,4}):(\d{1,4})")


class TopologyError(ValueError):
    """A file that is no topology; has all that is wrong with it, line by line."""

    def __init__(self, messages: Iterable[str]) -> None:
        self.messages = tuple(messages)
        super().__init__("; ".join(self.messages))


@dataclass(frozen=True, slots=True)
class Layer:
    """One layer.

    Attributes
    ----------
    name : str
    filters, input : tuple of int
        Shapes: of a product [N, K] and [K, M]; of a convolution [filters, channels / groups, height, width] and
        [1, channels, height, width].
    stride : tuple of int
    padding : tuple of int
        Before and behind height and width: what the last window reaches over the edge.
    groups : int
    kept : tuple of int or None
        ``(n, m)`` where n of every m elements of a filter are kept.
    """

    name: str
    filters: tuple[int, ...]
    input: tuple[int, ...]
    stride: tuple[int, ...] = (1, 1)
    padding: tuple[int, ...] = (0, 0, 0, 0)
    groups: int = 1
    kept: tuple[int, int] | None = None

    @property
    def is_product(self) -> bool:
        """Whether it is a product of matrices."""
        return len(self.filters) == 2


def read_layers(path: Path) -> list[Layer]:
    """Return the layers of a topology file.

    Raises
    ------
    TopologyError
        With every line that is no layer, or why the file cannot be read.
    """
    names = Names()
    layers: list[Layer] = []
    problems: list[str] = []
    for number, row in enumerate(csv.reader(_text(path).splitlines()), start=1):
        cells = [cell.strip() for cell in row]
        while cells and (not cells[-1] or cells[-1].startswith("#")):
            cells.pop()
        if not cells or (not layers and not problems and _is_header(cells)):
            continue
        try:
            layers.append(_layer(cells, names))
        except ValueError as error:
            problems.append(f"line {number}: {error}")
    if not layers and not problems:
        problems.append("there are no layers in the file")
    if problems:
        raise TopologyError(problems)
    return layers


def _text(path: Path) -> str:
    try:
        with open_regular(path) as stream:
            content = stream.read(MAX_FILE_BYTES + 1)
    except FileNotFoundError:
        raise TopologyError(["no such file"]) from None
    except (OSError, ValueError) as error:
        raise TopologyError([f"cannot be read: {getattr(error, 'strerror', None) or error}"]) from None
    if len(content) > MAX_FILE_BYTES:
        raise TopologyError([f"the file is larger than {MAX_FILE_BYTES >> 20} MiB"])
    try:
        return content.decode("utf-8-sig").replace("\0", " ")
    except UnicodeDecodeError:
        raise TopologyError(["is no text in UTF-8"]) from None


def _is_header(cells: list[str]) -> bool:
    return not any(cell.isdigit() for cell in cells[1:]) and len(cells) > 1


def _layer(cells: list[str], names: Names) -> Layer:
    """Return the layer of a line; ValueError if it is none."""
    name, *rest = cells
    kept = None
    if len(rest) in (_PRODUCT + 1, _CONVOLUTION + 1, _CONVOLUTION + 2) and not _is_stride(rest):
        kept = _kept(rest.pop())
    if len(rest) not in (_PRODUCT, _CONVOLUTION, _CONVOLUTION + 1):
        forms = "M, N, K, or height and width of input and filter, channels, filters and stride"
        raise ValueError(f"expected a name and {forms} (and a sparsity such as 2:4), found {len(rest)} values")
    numbers = [_number(cell) for cell in rest]
    name = names.take(name or "layer")
    if len(numbers) == _PRODUCT:
        m, n, k = numbers
        return Layer(name, (n, k), (k, m), kept=_divides(kept, k))
    return _convolution(name, numbers, kept)


def _is_stride(rest: list[str]) -> bool:
    """Return whether the last of so many cells is the stride of the width and not a sparsity."""
    return len(rest) == _CONVOLUTION + 1 and rest[-1].isdigit() and rest[-1] == rest[-2]


def _kept(cell: str) -> tuple[int, int] | None:
    """Return what a sparsity says; None for a dense layer, which is 1 or m:m."""
    found = _SPARSITY.fullmatch(cell)
    if found is None:
        if cell == "1":
            return None
        raise ValueError(f"expected a sparsity such as 2:4, found {cell[:40]!r}")
    n, m = int(found[1]), int(found[2])
    if not 1 <= n <= m:
        raise ValueError(f"cannot keep {n} of every {m} elements")
    return (n, m) if n < m else None


def _divides(kept: tuple[int, int] | None, extent: int) -> tuple[int, int] | None:
    if kept is not None and extent % kept[1]:
        raise ValueError(f"a sparsity of {kept[0]}:{kept[1]} needs filters of a multiple of {kept[1]}, found {extent}")
    return kept


def _number(cell: str) -> int:
    if not (cell.isascii() and cell.isdigit() and 1 <= int(cell[:20]) <= MAX_EXTENT):
        raise ValueError(f"expected a whole number from 1 to {MAX_EXTENT}, found {cell[:40]!r}")
    return int(cell)


def _convolution(name: str, numbers: list[int], kept: tuple[int, int] | None) -> Layer:
    height, width, kernel_height, kernel_width, channels, filters, *strides = numbers
    stride = (strides[0], strides[-1])
    extents, kernel = (height, width), (kernel_height, kernel_width)
    if kernel_height > height or kernel_width > width:
        raise ValueError(f"a filter of {kernel_height} x {kernel_width} is larger than its input {height} x {width}")
    counts = [-(-(extent - size) // step) + 1 for extent, size, step in zip(extents, kernel, stride, strict=True)]
    window = kernel_height * kernel_width * channels
    if kept is not None or (kernel == (1, width) and stride[0] == 1):
        pixels = counts[0] * counts[1]
        return Layer(name, (filters, window), (window, pixels), kept=_divides(kept, window))
    over = [(counts[axis] - 1) * stride[axis] + kernel[axis] - extents[axis] for axis in (0, 1)]
    depthwise = "DP" in name
    return Layer(
        name,
        (filters * channels, 1, *kernel) if depthwise else (filters, channels, *kernel),
        (1, channels, *extents),
        stride,
        (0, 0, max(over[0], 0), max(over[1], 0)),
        channels if depthwise else 1,
    )
