"""Pydantic models of the parts of a workload file: what may stand in it, part by part."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal, TypeAlias

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    GetJsonSchemaHandler,
    WithJsonSchema,
    model_validator,
)
from pydantic_core import CoreSchema

from ipusim.files.units import Count, Density, Number, parse_number
from ipusim.files.wording import FieldError, describe, did_you_mean, join_words
from ipusim.formats.scale import AUTO
from ipusim.frontends.words import Format, Name, TensorFormat
from ipusim.ops.cast import ScaleOf

MAX_EXTENT = 2**31
"""Largest extent of a dimension."""

MAX_WHOLE = 2**24
"""End of the whole numbers that the arrays of values hold exactly."""

MAX_OVERSIZE = 1e4
"""Largest allowance of the buckets: one of them could hold what ten thousand share evenly."""

Extent: TypeAlias = Annotated[Count, Field(ge=1, le=MAX_EXTENT)]
"""Elements along one dimension."""


SCALE = ScaleOf("scale", "A power of two, or auto")

Scale: TypeAlias = Annotated[
    float | Literal["auto"], BeforeValidator(lambda value: SCALE.read(value)), WithJsonSchema(SCALE.schema())
]
"""Scale of a tensor of 8 bits."""


def read_room(value: object) -> object:
    """Return the allowance of buckets if `value` is one: a number, or auto; else raise FieldError."""
    if value == AUTO:
        return value
    if isinstance(value, str):
        raise FieldError(f"expected a number or auto, found {describe(value)}")
    number = parse_number(value)
    if not 0 <= number <= MAX_OVERSIZE:
        raise FieldError(f"expected auto or a number from 0 to {MAX_OVERSIZE:g}, found {describe(value)}")
    return number


_ROOM_KINDS = [{"const": AUTO}, {"type": "number", "minimum": 0, "maximum": MAX_OVERSIZE}]

Room: TypeAlias = Annotated[float | Literal["auto"], BeforeValidator(read_room), WithJsonSchema({"anyOf": _ROOM_KINDS})]
"""Room in the buckets of a dynamic tensor."""

MAX_RANK = 8
"""Most dimensions of a tensor."""


def check_rank(extents: Any) -> Any:
    """Return the extents of a shape if their number is right, else raise FieldError."""
    if isinstance(extents, (list, tuple)) and not 1 <= len(extents) <= MAX_RANK:
        raise FieldError(f"a tensor has 1 to {MAX_RANK} dimensions, found {len(extents)}")
    return extents


Shape: TypeAlias = Annotated[
    tuple[Extent, ...], BeforeValidator(check_rank), Field(json_schema_extra={"minItems": 1, "maxItems": MAX_RANK})
]
"""Extents of a tensor."""


class Entry(BaseModel):
    """Base of everything in the file: unknown keys are errors, and values do not change."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class OneKind(Entry):
    """A choice between kinds: a bare word, or a mapping from the word to its options.

    A subclass has one field per kind. ``normal`` and ``{normal: {scale: 0.02}}`` are the same kind.
    """

    needs_options: ClassVar[tuple[str, ...]] = ()
    """Kinds that cannot be written as a bare word."""

    @model_validator(mode="before")
    @classmethod
    def _one_kind(cls, value: Any) -> Any:
        if isinstance(value, str):
            cls._check_kind(value, ())
            cls._check_options(value, None)
            return {value: {}}
        if not isinstance(value, dict):
            raise FieldError(f"expected a word or a mapping, found {describe(value)}", cls._known())
        if len(value) != 1:
            raise FieldError(f"expected one kind, found {join_words(value, 'and') or 'none'}", cls._known())
        ((kind, options),) = value.items()
        cls._check_kind(kind, (kind,))
        cls._check_options(kind, options)
        return {kind: {} if options is None else options}

    @classmethod
    def _check_kind(cls, kind: str, path: tuple[str, ...]) -> None:
        if kind not in cls.model_fields:
            raise FieldError(f"unknown kind {kind!r}", did_you_mean(kind, cls.model_fields) or cls._known(), path)

    @classmethod
    def _check_options(cls, kind: str, options: object) -> None:
        if options is None and kind in cls.needs_options:
            raise FieldError(f"{kind!r} needs options", f"write {{{kind}: ...}}")

    @classmethod
    def _known(cls) -> str:
        return f"there are {join_words(cls.model_fields, 'and')}"

    @classmethod
    def __get_pydantic_json_schema__(cls, core: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        """Return the schema of a bare word or of a mapping with one key."""
        mapping = handler.resolve_ref_schema(handler(core))
        words = [kind for kind in cls.model_fields if kind not in cls.needs_options]
        one_key = {**mapping, "minProperties": 1, "maxProperties": 1}
        return {"anyOf": [{"enum": words}, one_key], "description": mapping["description"]}

    @property
    def kind(self) -> str:
        """Name of the kind that was chosen."""
        return next(iter(self.model_fields_set))


class NoOptions(Entry):
    """Options of a kind that has none."""


class SpreadOptions(Entry):
    """Options of random values."""

    scale: Annotated[Number, Field(gt=0)] = Field(
        default=1.0, description="Standard deviation of normal values, largest magnitude of uniform ones"
    )


class IntegersOptions(Entry):
    """Options of random whole numbers."""

    below: Annotated[Count, Field(ge=1, le=MAX_WHOLE)] = Field(description="All are at least 0 and less than this")


class OnnxOptions(Entry):
    """A constant of an ONNX model: one of its tensors, or what its nodes compute of them."""

    file: str = Field(description="An .onnx file", min_length=1)
    tensor: str = Field(description="Name of the constant in the model", min_length=1)
    dims: dict[str, Extent] = Field(
        default_factory=dict, description="Extents of the open dimensions of the model's inputs, by name"
    )


class InitEntry(OneKind):
    """Where the values of a tensor come from."""

    needs_options: ClassVar[tuple[str, ...]] = ("file", "integers", "onnx", "values")

    normal: SpreadOptions | None = Field(default=None, description="Normal distribution around zero")
    uniform: SpreadOptions | None = Field(default=None, description="Uniform distribution around zero")
    integers: IntegersOptions | None = Field(
        default=None, description="Whole numbers, uniformly distributed, of a tensor of int32"
    )
    zeros: NoOptions | None = Field(default=None, description="All zeros")
    ones: NoOptions | None = Field(default=None, description="All ones")
    values: tuple[Number, ...] | None = Field(default=None, description="The numbers themselves, row after row")
    file: str | None = Field(
        default=None,
        description="An .npy file, or an .npz or .onnx file with an array named like the tensor",
        min_length=1,
    )
    onnx: OnnxOptions | None = Field(default=None, description="A constant of an ONNX model")


class NOfMOptions(Entry):
    """Options of the n:m pattern."""

    n: Extent = Field(description="Blocks kept in every group")
    m: Extent = Field(description="Consecutive blocks of a row that make a group")


Ratio: TypeAlias = Annotated[Number, Field(ge=1)]
"""How many times denser one end is than the other."""


class ImbalanceEntry(Entry):
    """Unequal density of rows and columns."""

    rows: Ratio = Field(default=1.0, description="Density of the last row over that of the first")
    cols: Ratio = Field(default=1.0, description="Density of the last column over that of the first")


class ImbalanceOptions(Entry):
    """Options of patterns whose density may vary over the matrix."""

    imbalance: ImbalanceEntry = Field(
        default_factory=ImbalanceEntry, description="How much denser the end of the matrix is than its beginning"
    )


class ShuffledOptions(Entry):
    """Options of the pattern of the published benchmark."""

    engine_seed: Annotated[Count, Field(ge=0)] = Field(default=123, description="Seed of its random engine")


class PatternEntry(OneKind):
    """Which elements of a sparse tensor are kept."""

    needs_options: ClassVar[tuple[str, ...]] = ("n_m", "file")

    random: ImbalanceOptions | None = Field(default=None, description="Blocks chosen at random")
    banded: NoOptions | None = Field(default=None, description="A band around the diagonal")
    block_diagonal: NoOptions | None = Field(default=None, description="Dense squares along the diagonal")
    magnitude: ImbalanceOptions | None = Field(
        default=None, description="The blocks of largest magnitude of the tensor's own values"
    )
    shuffled: ShuffledOptions | None = Field(default=None, description="The random blocks of the published benchmark")
    n_m: NOfMOptions | None = Field(default=None, description="n of every m consecutive blocks of a row, such as 2:4")
    file: str | None = Field(
        default=None, description="A Matrix Market .mtx (also .gz, .bz2) or SciPy .npz file", min_length=1
    )

    def options(self) -> dict[str, object]:
        """Return the options that were given, in plain values."""
        chosen = getattr(self, self.kind)
        return chosen.model_dump(exclude_unset=True) if isinstance(chosen, Entry) else {self.kind: chosen}


class SparsityEntry(Entry):
    """How a tensor is sparse."""

    density: Density | None = Field(
        default=None, description="Fraction of blocks kept, above 0 and at most 1; a number or a fraction like 1/16"
    )
    block_size: Extent = Field(
        default=1, description="Edge of the square blocks, in elements; divides rows and columns"
    )
    mode: Literal["static", "dynamic"] = Field(
        default="static",
        description="static: pattern known at compile time; dynamic: only the number of non-zeros is fixed",
    )
    pattern: PatternEntry = Field(
        default_factory=lambda: PatternEntry(random=ImbalanceOptions()), description="Which blocks are kept"
    )
    oversize: Room = Field(
        default=0.3,
        description="Dynamic mode: room in the buckets beyond an even spread of the non-zeros; 0.3 is 30 % more; auto "
        "takes as much as is quickest on average over random patterns",
    )


class TensorEntry(Entry):
    """An input of the computation: a weight or a batch of data."""

    shape: Shape = Field(description="Extent of each dimension, in elements, such as [4096, 1024]")
    dtype: TensorFormat | None = Field(
        default=None, description="Number format, or int32 for indices and labels; that of the file by default"
    )
    init: InitEntry = Field(
        default_factory=lambda: InitEntry(normal=SpreadOptions()), description="Where the values come from"
    )
    sparsity: SparsityEntry | None = Field(default=None, description="How the tensor is sparse; dense by default")
    scale: Scale = Field(
        default=1.0,
        description="Of a tensor of 8 bits: its values are stored numbers times this power of two, or auto for the "
        "smallest one that holds the largest value",
    )
    memory: Literal["sram", "dram"] = Field(
        default="sram",
        description="Where it lies: on the tiles, or in DRAM, from where it streams in for each op that reads it",
    )


class OpEntry(Entry):
    """One operator application. Its attributes stand beside these keys; each operator has its own."""

    model_config = ConfigDict(extra="allow", frozen=True)

    op: str = Field(description="Operator")
    inputs: tuple[str, ...] = Field(description="Names of the operands, in the operator's order")
    output: Name = Field(description="Name of the result")
    name: Name | None = Field(default=None, description="Name in reports; that of the result by default")


LeverName: TypeAlias = Literal["temporaries", "outline", "recompute", "stream"]

LEVERS: tuple[LeverName, ...] = ("temporaries", "outline", "recompute", "stream")
"""What the compiler may do where a workload does not fit."""


def _read_levers(value: Any) -> Any:
    """Return the levers that a word stands for; everything else is checked later."""
    if not isinstance(value, str):
        return value
    if value not in ("auto", "none"):
        hint = did_you_mean(value, ("auto", "none")) or f"or a list of {join_words(LEVERS, 'and')}"
        raise FieldError(f"expected auto or none, found {describe(value)}", hint)
    return LEVERS if value == "auto" else ()


Levers: TypeAlias = Annotated[
    tuple[LeverName, ...],
    BeforeValidator(_read_levers),
    WithJsonSchema(
        {"anyOf": [{"enum": ["auto", "none"]}, {"type": "array", "items": {"enum": list(LEVERS)}}], "default": "auto"}
    ),
]


class CompileEntry(Entry):
    """What the compiler may do."""

    available_memory_proportion: Annotated[Number, Field(gt=0, le=1)] = Field(
        default=0.6, description="Share of a tile's SRAM that the temporary data of one operator may take"
    )
    levers: Levers = Field(
        default=LEVERS,
        description="What the compiler may do, the cheapest first, where the workload does not fit as it is: plans "
        "with less temporary data, repeated layers that share their exchange code, results that are computed again, "
        "inputs that stream in from DRAM; auto for all of them, none to leave it as it is",
    )
    rounding: Literal["nearest", "stochastic"] = Field(
        default="nearest",
        description="How results are rounded to formats narrower than float32: to the nearest number, ties to even, "
        "or up or down at random (seeded) so that the mean is exact",
    )
    layout: Literal["network", "greedy"] = Field(
        default="greedy",
        description="network: plans, mappings and supersteps that are best together; greedy: of each operator alone",
    )


class LayerEntry(Entry):
    """What holds for all weights and ops of a name."""

    density: Density | None = Field(default=None, description="Of the weights: fraction of blocks kept")
    block_size: Extent = Field(default=1, description="Of sparse weights: edge of the square blocks, in elements")
    mode: Literal["static", "dynamic"] = Field(default="static", description="Of sparse weights")
    pattern: PatternEntry | None = Field(default=None, description="Of sparse weights: which blocks are kept")
    oversize: Room = Field(
        default=0.3, description="Of sparse weights in dynamic mode: room in the buckets beyond an even spread, or auto"
    )
    dtype: Format | None = Field(default=None, description="Number format; casts are inserted where it begins and ends")
    partials: Literal["float16", "float32"] = Field(default="float32", description="Of the ops: format of partial sums")
    memory: Literal["sram", "dram"] = Field(default="sram", description="Of the weights: where they lie")
