"""Checks what a workload says of a sparse tensor against the tensor's shape."""

from __future__ import annotations

from math import ceil
from pathlib import Path

from ipusim.files.wording import join_words
from ipusim.frontends.draft import Draft
from ipusim.frontends.entries import NOfMOptions, SparsityEntry
from ipusim.frontends.pattern_files import read_pattern_header
from ipusim.ir.tensor import Sparsity
from ipusim.sparse.saved_matrix import MAX_STORED

Where = tuple[str, ...]


def build_sparsity(draft: Draft, name: str, shape: tuple[int, ...], entry: SparsityEntry) -> Sparsity:
    """Return the sparsity of a tensor, reporting all that is wrong with it.

    Without a `density`, that of an n:m pattern is n/m and that of a file is its share of stored elements.
    """
    where = ("tensors", name, "sparsity")
    if not 2 <= len(shape) <= 4:
        hint = "or three or four as the weights of a convolution"
        draft.report(where, f"a sparse tensor has two dimensions, but {name} is {list(shape)}", hint)
        return _sparsity(entry, 1.0)
    if len(shape) > 2 and entry.pattern.kind == "magnitude":
        message = "the magnitudes of weights of a convolution choose no blocks"
        draft.report((*where, "pattern"), message, "there are random, banded, n_m and others")
    shape = shape[:2]
    _check_block_size(draft, where, shape, entry.block_size)
    if entry.mode == "static" and "oversize" in entry.model_fields_set:
        draft.report((*where, "oversize"), "is for dynamic mode; a static pattern has no buckets")
    if entry.pattern.n_m is not None:
        return _n_of_m(draft, where, shape, entry, entry.pattern.n_m)
    if entry.pattern.file is not None:
        return _from_file(draft, where, shape, entry, draft.workload.folder / entry.pattern.file)
    if entry.density is None:
        draft.report((*where, "density"), "is missing")
        return _sparsity(entry, 1.0)
    if entry.pattern.block_diagonal is not None:
        _check_diagonal(draft, where, shape, entry, entry.density)
    _check_stored(draft, where, shape, entry, entry.density)
    return _sparsity(entry, entry.density, entry.pattern.options())


def _check_block_size(draft: Draft, where: Where, shape: tuple[int, ...], block_size: int) -> None:
    uneven = [f"{n} {what}" for n, what in zip(shape, ("rows", "columns"), strict=True) if n % block_size]
    if uneven:
        message = f"{block_size} does not divide the {join_words(uneven, 'and')} of {where[1]} {list(shape)}"
        draft.report((*where, "block_size"), message)


def _check_stored(draft: Draft, where: Where, shape: tuple[int, ...], entry: SparsityEntry, density: float) -> None:
    """Report more non-zero blocks than can be worked with."""
    stored = ceil(density * shape[0] * shape[1] / entry.block_size**2)
    if stored > MAX_STORED:
        message = f"{where[1]} would store {stored:,} blocks; the most is {MAX_STORED:,}"
        draft.report((*where, "density"), message, "lower the density or take larger blocks")


def _check_diagonal(draft: Draft, where: Where, shape: tuple[int, ...], entry: SparsityEntry, density: float) -> None:
    """Report when the diagonal cannot be cut into ``1 / density`` equal parts of at least one block."""
    parts = round(1 / density)
    if abs(density * parts - 1) > 1e-6:
        message = f"a block-diagonal pattern has a density of 1 over a whole number, found {density:g}"
        draft.report((*where, "density"), message)
    elif parts > min(shape) // entry.block_size:
        message = f"{parts} blocks on the diagonal are more than {where[1]} has: {min(shape) // entry.block_size}"
        draft.report((*where, "density"), message)


def _n_of_m(draft: Draft, where: Where, shape: tuple[int, ...], entry: SparsityEntry, options: NOfMOptions) -> Sparsity:
    n, m = options.n, options.m
    place = (*where, "pattern", "n_m")
    blocks_per_row = shape[1] // entry.block_size
    if n > m:
        draft.report((*place, "n"), f"cannot keep {n} of every {m} blocks")
        return _sparsity(entry, 1.0)
    if blocks_per_row % m:
        draft.report((*place, "m"), f"{m} does not divide the {blocks_per_row} blocks of a row of {where[1]}")
    if entry.density is not None and abs(entry.density * m - n) > 1e-6:
        draft.report((*where, "density"), f"{entry.density:g} contradicts the pattern {n}:{m}", "leave the density out")
    _check_stored(draft, where, shape, entry, n / m)
    return _sparsity(entry, n / m, entry.pattern.options())


def _from_file(draft: Draft, where: Where, shape: tuple[int, ...], entry: SparsityEntry, path: Path) -> Sparsity:
    place = (*where, "pattern", "file")
    options: dict[str, object] = {"file": str(path)}
    try:
        header = read_pattern_header(path)
    except ValueError as error:
        draft.report(place, f"{path.name} {error}")
        return _sparsity(entry, entry.density or 1.0, options)
    if header.shape != shape:
        draft.report(place, f"{path.name} is a matrix {list(header.shape)}, but {where[1]} is {list(shape)}")
    if header.n_nonzeros == 0:
        draft.report(place, f"{path.name} has no non-zeros")
    return _sparsity(entry, entry.density or header.n_nonzeros / (shape[0] * shape[1]), options)


def _sparsity(entry: SparsityEntry, density: float, options: dict[str, object] | None = None) -> Sparsity:
    return Sparsity(
        density,
        entry.block_size,
        entry.mode,
        entry.pattern.kind,
        options or {},
        entry.oversize,
        declared=entry.density is not None or entry.pattern.file is None,
    )
