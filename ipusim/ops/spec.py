"""What an operator is: its operands, attributes, shape rule, work and reference result."""

from __future__ import annotations

from collections.abc import Callable, Container, Mapping
from dataclasses import dataclass, replace
from math import prod
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol, cast

import numpy as np
from numpy.typing import NDArray

from ipusim.errors import IpusimError
from ipusim.ir.tensor import Tensor
from ipusim.ops.attributes import Attribute as Attribute
from ipusim.ops.attributes import Choice as Choice
from ipusim.ops.attributes import Flag as Flag
from ipusim.ops.attributes import Real as Real
from ipusim.ops.attributes import Whole as Whole
from ipusim.ops.attributes import Wholes as Wholes

if TYPE_CHECKING:
    from ipusim.ops.gradient import Gradient

Attrs = Mapping[str, object]
F64Array = NDArray[np.float64]
F32Array = NDArray[np.float32]

FORMATS = ("float16", "float32", "bfloat16", "float8_e4m3fnuz", "float8_e5m2fnuz")
"""Number formats of tensors."""

PARTIALS_FORMATS = ("float16", "float32")
"""Number formats of partial sums."""


class TensorType(NamedTuple):
    """Shape (elements) and number format of a result."""

    shape: tuple[int, ...]
    dtype: str


class ShapeError(IpusimError):
    """The operands or attributes of an operator do not go together.

    Parameters
    ----------
    message : str
        What is wrong, with the names and shapes of the operands.
    operand : int or None
        Position of the operand at fault; None when no single one is.
    attribute : str
        Name of the attribute at fault; empty when none is.
    hint : str
        What the user may do about it; may be empty.
    """

    def __init__(self, message: str, *, operand: int | None = None, attribute: str = "", hint: str = "") -> None:
        super().__init__(f"{message} ({hint})" if hint else message)
        self.message = message
        self.operand = operand
        self.attribute = attribute
        self.hint = hint


class Expansion(Protocol):
    """The graph while a composite op is replaced by the ops that it consists of."""

    def add(self, kind: str, *inputs: str, **attrs: object) -> str:
        """Add an op with the attributes given (others have their defaults) and return the name of its result."""

    def as_matrix(self, weights: str) -> str:
        """Make a matrix of the sparse weights of a convolution, for all that read them, and return its name."""

    def constant(self, kind: str, shape: tuple[int, ...], dtype: str) -> str:
        """Add an input with values of a kind that :class:`~ipusim.ir.tensor.Init` knows and return its name."""


Saved = Mapping[str, str] | None
"""Tensors inside an expansion that the gradient of a composite op reads again, by their role."""

Expand = Callable[[Expansion, tuple[Tensor, ...], Attrs], Saved]


@dataclass(frozen=True, slots=True)
class OpSpec:
    """One operator of the registry.

    Attributes
    ----------
    name : str
        Word in the workload file; also the name of the operator's module.
    summary : str
        One sentence for the schema and the documentation.
    inputs : tuple of str
        Names of the operands; their number is the arity.
    infer : function (inputs, attrs) -> TensorType
        Shape and format of the result. Raises :class:`ShapeError`.
    flops : function (inputs, outputs, attrs, nonzeros) -> int
        Useful floating-point operations: 2 per multiply-add, non-zeros only. `nonzeros` has the number of stored
        elements of each input (all its elements for a dense one).
    reference : function (arrays, attrs) -> float64 array
        The result in double precision, without the roundings of the formats; `arrays` are float64, one per input, of
        the shapes that `infer` accepts.
    attributes : tuple of Attribute
    sparse_inputs : tuple of int
        Positions of the operands that may be sparse.
    sparse_result : int or None
        Position of the operand that has to be sparse, and whose non-zeros the result has.
    family : str
        How the compiler lowers it: ``map`` (element by element), ``reduce`` (along one axis of three), ``move`` (only
        places change), ``view`` (nothing happens), ``composite`` (expands into other ops when the graph is built);
        empty for an op with a lowering of its own.
    function : function (attrs) -> str, or str
        Of a map: the name in the tables of vertices and kernels.
    expand : function (graph, inputs, attrs) -> mapping or None, or None
        Of a composite: adds the ops that it consists of; the result of the last one is its own. Returns what its
        gradient wants to read again.
    expands : function (inputs) -> bool, or None
        Of an op that is a composite for some operands only: whether it is for these.
    constants : tuple of str
        Of a map: the attributes that are the constants of its function.
    whole_inputs : tuple of int
        Positions of the operands that are whole numbers (``int32``). Beside them only operators that move elements
        take any.
    any_format : bool
        Its operands may be floats or whole numbers.
    exact : bool
        The result is elements of the operands, or whole numbers: it has no rounding, and equals the reference.
    averages : bool
        Of a reduction: its sums are divided by the number of elements that go into each.
    finish : function (attrs) -> tuple of (str, mapping), or None
        Of a reduction: maps, by name and with their attributes, that every result passes before it is rounded.
    positional : bool
        Of a map: the result of an element depends on its place, too.
    variadic : bool
        There may be further operands of the kind of the last.
    gradient : function (call) -> tuple of str or None, or None
        Adds the ops of the backward pass (:mod:`ipusim.ops.gradient`). A composite op without one is differentiated
        through its parts; any other op without one has no derivative.
    """

    name: str
    summary: str
    inputs: tuple[str, ...]
    infer: Callable[[tuple[Tensor, ...], Attrs], TensorType]
    flops: Callable[[tuple[Tensor, ...], tuple[Tensor, ...], Attrs, tuple[int, ...]], int]
    reference: Callable[[tuple[F64Array, ...], Attrs], F64Array]
    attributes: tuple[Attribute, ...] = ()
    sparse_inputs: tuple[int, ...] = ()
    sparse_result: int | None = None
    family: str = ""
    function: Callable[[Attrs], str] | str = ""
    expand: Expand | None = None
    expands: Callable[[tuple[Tensor, ...]], bool] | None = None
    constants: tuple[str, ...] = ()
    whole_inputs: tuple[int, ...] = ()
    any_format: bool = False
    exact: bool = False
    averages: bool = False
    finish: Callable[[Attrs], tuple[tuple[str, Attrs], ...]] | None = None
    positional: bool = False
    variadic: bool = False
    gradient: Gradient | None = None

    def move(self, arrays: tuple[F32Array, ...], attrs: Attrs) -> F32Array:
        """Return the result of an op that only moves elements, in the format of its operands."""
        result: Any = self.reference(cast("tuple[F64Array, ...]", arrays), attrs)
        return cast("F32Array", result)

    def function_name(self, attrs: Attrs) -> str:
        """Return the name of a map's function in the tables of vertices and kernels."""
        return self.function(attrs) if callable(self.function) else self.function


def shown(tensor: Tensor) -> str:
    """Return a tensor as messages name it, such as ``w [4096, 4096]``."""
    return f"{tensor.name} {list(tensor.shape)}"


def is_quarter(dtype: str) -> bool:
    """Return whether a number format has 8 bits: only matrix products compute in such formats."""
    return dtype.startswith("float8")


def computed_format(dtype: str) -> str:
    """Return the format in which everything but a matrix product takes its operands: float16 for one of 8 bits."""
    return "float16" if is_quarter(dtype) else dtype


def shared_dtype(inputs: tuple[Tensor, ...]) -> str:
    """Return the number format that all operands share once those of 8 bits are cast to float16.

    Raises
    ------
    ShapeError
        As :func:`common_dtype`.
    """
    return common_dtype(tuple(replace(tensor, dtype=computed_format(tensor.dtype)) for tensor in inputs))


def product_dtype(inputs: tuple[Tensor, ...], attrs: Attrs) -> str:
    """Return the number format of the result of a matrix product or a convolution.

    With an operand of 8 bits the others are cast to its format, and the result is float16 as on the device; otherwise
    all operands and the result have one format.

    Raises
    ------
    ShapeError
        The formats differ, partial sums are narrower than the operands, or a sparse operand has 8 bits.
    """
    for position, tensor in enumerate(inputs):
        if tensor.sparsity and is_quarter(tensor.dtype):
            message = f"no vertex multiplies sparse tensors of 8 bits, and {tensor.name} is {tensor.dtype}"
            raise ShapeError(message, operand=position, hint="declare it as float16, or store it dense")
    if any(tensor.sparsity for tensor in inputs):
        dtype = shared_dtype(inputs)
    elif any(is_quarter(tensor.dtype) for tensor in inputs):
        return "float16"
    else:
        dtype = common_dtype(inputs)
    if attrs["partials"] == "float16" and dtype != "float16":
        raise ShapeError(f"partials float16 are narrower than the {dtype} operands", attribute="partials")
    return dtype


def settled(attrs: dict[str, object], inputs: tuple[Tensor, ...], given: Container[str]) -> dict[str, object]:
    """Return attributes whose defaults follow the operands: partial sums of 8-bit operands are float16.

    `given` has the names of the attributes that the user chose.
    """
    if "partials" not in attrs or "partials" in given:
        return attrs
    dense = not any(tensor.sparsity for tensor in inputs)
    quarter = dense and any(is_quarter(tensor.dtype) for tensor in inputs)
    return attrs | {"partials": "float16"} if quarter else attrs


def common_dtype(inputs: tuple[Tensor, ...]) -> str:
    """Return the number format that all operands share.

    Raises
    ------
    ShapeError
        An operand has another format than the first.
    """
    first = inputs[0]
    for position, tensor in enumerate(inputs):
        if tensor.dtype != first.dtype:
            raise ShapeError(
                f"operands have different number formats: {first.name} is {first.dtype}, "
                f"{tensor.name} is {tensor.dtype}",
                operand=position,
                hint=f"insert a cast to {first.dtype}",
            )
    return first.dtype


def computed_dtype(inputs: tuple[Tensor, ...], shape: tuple[int, ...]) -> str:
    """Return the number format of a map's result: that of its operands of full size.

    Operands that are repeated over the result may be float32 beside it, as statistics are: then the map computes in
    float32 and rounds once.

    Parameters
    ----------
    inputs : tuple of Tensor
    shape : tuple of int
        Of the result.

    Raises
    ------
    ShapeError
        Formats differ otherwise.
    """
    if len({tensor.dtype for tensor in inputs}) == 1:
        return computed_format(inputs[0].dtype)
    inputs = tuple(replace(tensor, dtype=computed_format(tensor.dtype)) for tensor in inputs)
    full = tuple(tensor for tensor in inputs if tensor.n_elements == prod(shape))
    small = [tensor for tensor in inputs if tensor.n_elements != prod(shape)]
    formats = {tensor.dtype for tensor in full}
    wide = len(formats) == 1 and all(tensor.dtype in ("float32", *formats) for tensor in small)
    return common_dtype(full if wide else inputs)
