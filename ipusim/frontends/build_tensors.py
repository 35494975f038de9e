"""Declared tensors of a workload: files resolved, sparsity and size checked."""

from __future__ import annotations

from math import prod

from ipusim.formats import WHOLE_NUMBERS, number_format
from ipusim.formats.scale import AUTO
from ipusim.frontends.array_files import array_shape
from ipusim.frontends.build_sparsity import build_sparsity
from ipusim.frontends.draft import Draft
from ipusim.frontends.entries import MAX_WHOLE, OnnxOptions, TensorEntry
from ipusim.frontends.values import LARGEST_NORMAL
from ipusim.ir.tensor import Init, Tensor
from ipusim.ops.spec import is_quarter

MAX_TENSOR_BYTES = 2**40
"""Most bytes of a tensor, and of all tensors together: no machine that ipusim runs on holds more."""


def build_tensors(draft: Draft) -> None:
    """Add every declared tensor to `draft`, with all that is wrong with them."""
    draft.tensors.update(dict.fromkeys(draft.broken_tensors))
    for name, entry in draft.workload.tensors.items():
        dtype = entry.dtype or draft.workload.dtype
        init = _build_init(draft, name, dtype, entry)
        sparsity = build_sparsity(draft, name, entry.shape, entry.sparsity) if entry.sparsity else None
        if sparsity and entry.memory == "dram":
            hint = "leave memory out, or store the tensor dense"
            draft.report(
                ("tensors", name, "memory"), f"only dense tensors stream from DRAM, and {name} is sparse", hint
            )
        if entry.scale != 1.0 and not is_quarter(dtype):
            draft.report(("tensors", name, "scale"), f"{dtype} has no scale; formats of 8 bits have")
        tensor = Tensor(name, entry.shape, dtype, init, sparsity, entry.memory, entry.scale)
        draft.tensors[name] = tensor if check_bytes(draft, ("tensors", name, "shape"), tensor) else None


def check_bytes(draft: Draft, path: tuple[str | int, ...], tensor: Tensor) -> bool:
    """Return whether a tensor is of a size that a machine can hold; report it at `path` if not."""
    n_bytes = tensor.n_elements * number_format(tensor.dtype).bytes
    if n_bytes <= MAX_TENSOR_BYTES:
        return True
    draft.report(path, f"{tensor.name} {list(tensor.shape)} takes {_tebibytes(n_bytes)}; the most is 1 TiB")
    return False


def check_total_bytes(draft: Draft) -> None:
    """Report when all the tensors together are beyond what a machine can hold, though each alone is not."""
    total = sum(tensor.n_elements * number_format(tensor.dtype).bytes for tensor in draft.tensors.values() if tensor)
    if total > MAX_TENSOR_BYTES:
        draft.report(("tensors",), f"all tensors together take {_tebibytes(total)}; the most is 1 TiB")


def _tebibytes(n_bytes: int) -> str:
    return f"{n_bytes / 2**40:,.4g} TiB"


def _check_whole(draft: Draft, name: str, dtype: str, entry: TensorEntry) -> None:
    """Report values that are not of the kind of the format: whole numbers or others."""
    kind, whole = entry.init.kind, dtype == WHOLE_NUMBERS
    where = ("tensors", name, "init") if "init" in entry.model_fields_set else ("tensors", name, "dtype")
    if whole and entry.sparsity:
        draft.report(("tensors", name, "sparsity"), f"{name} holds whole numbers, which are not sparse")
    if whole and kind in ("normal", "uniform"):
        hint = "write init: {integers: {below: N}}, or zeros, ones or a file"
        draft.report(where, f"{name} is {dtype}, and {kind} values are no whole numbers", hint)
    elif kind == "integers" and not whole:
        draft.report(where, f"{name} is {dtype}, and integers are values of {WHOLE_NUMBERS}", "add dtype: int32")


def _check_values(draft: Draft, name: str, dtype: str, entry: TensorEntry) -> None:
    """Report given values that are too many, too few, too large or no whole numbers."""
    values, where = entry.init.values or (), ("tensors", name, "init", "values")
    if len(values) != prod(entry.shape):
        draft.report(where, f"{len(values)} values, but {name} {list(entry.shape)} has {prod(entry.shape)} elements")
    for index, value in enumerate(values):
        limit = MAX_WHOLE if dtype == WHOLE_NUMBERS else number_format(dtype).max
        if abs(value) > limit:
            draft.report((*where, index), f"{value:g} is beyond the largest {dtype}, {limit:g}")
        elif dtype == WHOLE_NUMBERS and value != int(value):
            draft.report((*where, index), f"{value:g} is no whole number, but {name} is {dtype}")


def _build_init(draft: Draft, name: str, dtype: str, entry: TensorEntry) -> Init:
    init = entry.init
    _check_whole(draft, name, dtype, entry)
    if init.integers:
        return Init(init.kind, below=init.integers.below)
    if init.values is not None:
        _check_values(draft, name, dtype, entry)
        return Init(init.kind, values=init.values)
    if init.onnx:
        return _build_onnx_init(draft, name, entry, init.onnx)
    spread = init.normal or init.uniform
    if init.file is None:
        scale = spread.scale if spread else 1.0
        largest = scale * (LARGEST_NORMAL if init.normal else 1.0)
        limit = number_format(dtype).max * (float(entry.scale) if entry.scale != AUTO else float("inf"))
        if dtype != WHOLE_NUMBERS and largest > limit:
            message = f"values reach {largest:g}, beyond the largest {dtype}, {limit:g}"
            draft.report(("tensors", name, "init", init.kind, "scale"), message)
        return Init(init.kind, scale)
    return _build_file_init(draft, name, entry, init.file)


def _build_file_init(draft: Draft, name: str, entry: TensorEntry, file: str) -> Init:
    path = draft.workload.folder / file
    where = ("tensors", name, "init", "file")
    try:
        shape = array_shape(path, name)
    except ValueError as error:
        draft.report(where, f"{file} {error}")
        return Init("file", file=str(path))
    if shape != entry.shape:
        draft.report(where, f"{file} has shape {list(shape)}, but {name} is {list(entry.shape)}")
    return Init("file", file=str(path))


def _build_onnx_init(draft: Draft, name: str, entry: TensorEntry, options: OnnxOptions) -> Init:
    from ipusim.frontends.models.onnx.constants import constant_shape

    path = draft.workload.folder / options.file
    where = ("tensors", name, "init", "onnx", "tensor")
    try:
        shape = constant_shape(path, options.dims, options.tensor)
    except ValueError as error:
        draft.report(where, f"{options.file}: {error}")
    else:
        if shape != entry.shape:
            draft.report(where, f"{options.file} has shape {list(shape)}, but {name} is {list(entry.shape)}")
    return Init("onnx", file=str(path), member=options.tensor, dims=tuple(sorted(options.dims.items())))
