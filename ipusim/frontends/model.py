"""The workload file as a whole: tensors, operators, and how to compile them."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from pydantic import Field, PrivateAttr

from ipusim.errors import BadInputError
from ipusim.files.document import Document
from ipusim.files.units import Count
from ipusim.files.validate import validate
from ipusim.frontends.entries import CompileEntry, Entry, OpEntry, TensorEntry
from ipusim.frontends.generate import GENERATING_KEYS, expand_document, spelled_out
from ipusim.frontends.training_entry import TrainingEntry
from ipusim.frontends.words import Format, Name

MAX_SEED = 2**63 - 1
"""Largest seed."""


class Workload(Entry):
    """A computation to simulate, as a person writes it."""

    name: str = Field(description="What reports call the workload", min_length=1, max_length=200)
    chip: str = Field(default="bow", description="Packaged chip, or path of a chip file", min_length=1)
    dtype: Format = Field(default="float16", description="Number format of the tensors that name none")
    seed: Annotated[Count, Field(ge=0, le=MAX_SEED)] = Field(
        default=0, description="Seed of all random values and patterns"
    )
    tensors: dict[Name, TensorEntry] = Field(description="Inputs by name")
    ops: tuple[OpEntry, ...] = Field(description="Operators, in the order in which they run")
    outputs: tuple[str, ...] = Field(
        default=(), description="Results asked for; by default those that no operator reads"
    )
    compile: CompileEntry = Field(default_factory=CompileEntry, description="Options of the compiler")
    training: TrainingEntry | None = Field(default=None, description="How ipusim train trains it")

    _document: Document = PrivateAttr()
    _source: Document = PrivateAttr()
    _folder: Path = PrivateAttr()

    @property
    def document(self) -> Document:
        """What was read, with the place of every value; a model as the tensors and ops that it stands for."""
        return self._document

    @property
    def source(self) -> Document:
        """What was written, with the model: what settings are applied to."""
        return self._source

    @property
    def folder(self) -> Path:
        """Folder that relative paths in the file are relative to."""
        return self._folder


def read_workload(document: Document, folder: Path) -> Workload:
    """Return a document as a workload.

    Raises
    ------
    BadInputError
        With every key that is missing, unknown or has a value of the wrong kind, and all that is wrong with the model.
    """
    source = spelled_out(document)
    expanded, problems = expand_document(source, folder)
    try:
        workload = validate(expanded, Workload, other_keys=GENERATING_KEYS)
    except BadInputError as error:
        raise BadInputError((*problems, *error.problems)) from None
    if problems:
        raise BadInputError(problems)
    workload._document = expanded
    workload._source = source
    workload._folder = folder
    return workload


def rewritten(workload: Workload, document: Document, **changes: object) -> Workload:
    """Return a workload with other values of some fields, as `document` has them; nothing is checked again."""
    changed = workload.model_copy(update=changes)
    changed._document = changed._source = document
    return changed
