"""What stands behind a word after ``model:``: options that a person writes, and the entries that come of them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ipusim.frontends.entries import Entry


@dataclass(frozen=True, slots=True)
class ModelContext:
    """What a model source may know of the workload file around it.

    Attributes
    ----------
    folder : Path
        Folder that paths in the options are relative to.
    dtype : str
        Number format of the workload.
    """

    folder: Path
    dtype: str


@dataclass(frozen=True, slots=True)
class Generated:
    """The part of a workload file that a model stands for.

    Attributes
    ----------
    tensors : dict
        Inputs by name, as they stand under ``tensors`` of a workload file. Paths in them are relative to its folder.
    ops : list of dict
        Operators, as they stand under ``ops``.
    outputs : list of str
        Results of the model; none for those that no op reads. ``outputs`` of the workload file go first.
    weights : frozenset of str
        The tensors that are parameters of the model, and not its data.
    """

    tensors: dict[str, dict[str, Any]]
    ops: list[dict[str, Any]]
    outputs: list[str] = field(default_factory=list)
    weights: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class ModelSource:
    """One word of the registry.

    Attributes
    ----------
    name : str
        The word after ``model:``; the module is called like it, with ``_`` for ``-``.
    summary : str
        One sentence for the schema and the documentation.
    options : type
        Pydantic model of the options.
    build : function (options, context) -> Generated
        Raises :class:`~ipusim.files.wording.FieldError`, or several as ``FieldsError``, with paths inside the options.
    shorthand : str
        The option that a bare text after the word stands for, as in ``{onnx: model.onnx}``; empty for none.
    """

    name: str
    summary: str
    options: type[Entry]
    build: Callable[[Any, ModelContext], Generated]
    shorthand: str = ""

    @property
    def needs_options(self) -> bool:
        """Whether some option has no default, so that the bare word is not enough."""
        return any(each.is_required() for each in self.options.model_fields.values())
