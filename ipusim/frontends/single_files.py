"""Files of other programs that are a whole workload, so that they run without a workload file around them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ipusim.files.document import Document, load_document

MODEL_OF_SUFFIX = {".onnx": "onnx", ".csv": "scale-sim"}
"""Word after ``model:`` by extension of the file."""

_LONGEST_NAME = 200


def is_single_file(path: Path) -> bool:
    """Return whether a file is a model and not a workload file, which its extension says."""
    return path.suffix.lower() in MODEL_OF_SUFFIX


def single_file_document(path: Path) -> Document:
    """Return the workload file that stands for a model: ``model: {KIND: {file: PATH}}`` and what follows from it."""
    kind = MODEL_OF_SUFFIX[path.suffix.lower()]
    data: dict[str, Any] = {"name": path.stem[:_LONGEST_NAME], "model": {kind: {"file": path.name}}}
    if kind == "onnx":
        from ipusim.frontends.models.onnx.formats import model_format

        data["dtype"] = model_format(path)
    return load_document(data, str(path))
