"""Tensors and operators of a computation graph, before any decision about tiles."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Sparsity:
    """How a tensor is sparse.

    Attributes
    ----------
    density : float
        Fraction of elements kept, in (0, 1].
    block_size : int
        Edge of the square blocks, in elements.
    mode : str
        ``static`` (pattern known to the compiler) or ``dynamic`` (only the number of non-zeros is).
    pattern : str
        Name of the pattern generator, or ``file``.
    options : Mapping[str, object]
        Further options of the pattern.
    oversize : float or str
        Of a dynamic tensor: room in its buckets beyond an even spread of the non-zeros; 0.3 is 30 % more. ``auto``:
        the planner chooses.
    declared : bool
        The density was given: dynamic mode makes room for that much. Else it was counted, and makes room for all.
    kernel : tuple of int
        Of the weights of a convolution as a matrix ``[out, kernel elements * in]``: the extents of the kernel. The
        pattern is that of ``[out, in]``, for each of its elements.
    pattern_of : str
        Of the result of an op: the tensor whose non-zeros it has.
    pattern_init : Init or None
        Of such a result: where the values of that tensor come from.
    pattern_dtype : str
        Of such a result: the number format of that tensor.
    """

    density: float
    block_size: int = 1
    mode: str = "static"
    pattern: str = "random"
    options: Mapping[str, object] = field(default_factory=dict)
    oversize: float | str = 0.3
    declared: bool = True
    kernel: tuple[int, ...] = ()
    pattern_of: str = ""
    pattern_init: Init | None = None
    pattern_dtype: str = ""


@dataclass(frozen=True, slots=True)
class Init:
    """Where the values of an input tensor come from.

    Attributes
    ----------
    kind : str
        ``normal``, ``uniform``, ``integers``, ``zeros``, ``ones``, ``values``, ``file`` or ``onnx``; ``arange`` for
        0, 1, 2, ...; ``causal`` for the mask of an attention, which is 0 where a row may see a column and very small
        where not.
    scale : float
        Standard deviation of ``normal``, half-width of ``uniform``.
    file : str
        Path of an ``.npy`` or ``.npz`` file for kind ``file``, of an ``.onnx`` file for kinds ``file`` and ``onnx``.
    below : int
        Of ``integers``: all are at least 0 and less than this.
    values : tuple of float
        Of ``values``: all of them, row after row.
    member : str
        Of ``onnx``: the constant of the model.
    dims : tuple of (str, int)
        Of ``onnx``: extents of the model's open dimensions.
    """

    kind: str = "normal"
    scale: float = 1.0
    file: str = ""
    below: int = 0
    values: tuple[float, ...] = ()
    member: str = ""
    dims: tuple[tuple[str, int], ...] = ()


@dataclass(frozen=True, slots=True)
class Tensor:
    """A named array of a graph.

    Attributes
    ----------
    shape : tuple of int
        Extent of each dimension, in elements.
    dtype : str
        Name of its number format (see :mod:`ipusim.formats`).
    init : Init or None
        Source of the values of a graph input; None for the result of an op.
    sparsity : Sparsity or None
        None for a dense tensor.
    memory : str
        ``sram``, or ``dram`` for a graph input that lies outside the tiles and streams in for each op that reads it.
    scale : float or str
        Of a graph input of 8 bits: its values are stored numbers times this power of two; ``auto`` is the smallest
        that holds the largest value.
    """

    name: str
    shape: tuple[int, ...]
    dtype: str
    init: Init | None = None
    sparsity: Sparsity | None = None
    memory: str = "sram"
    scale: float | str = 1.0

    @property
    def n_elements(self) -> int:
        """Number of elements, zeros included."""
        count = 1
        for extent in self.shape:
            count *= extent
        return count


@dataclass(frozen=True, slots=True)
class Op:
    """One operator application: ``outputs = kind(inputs, **attrs)``."""

    name: str
    kind: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    attrs: Mapping[str, object] = field(default_factory=dict)
