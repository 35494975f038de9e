"""Words of a workload file that mean the same everywhere: names, and number formats."""

from __future__ import annotations

import re
from typing import Annotated, TypeAlias

from pydantic import AfterValidator, WithJsonSchema

from ipusim.files.wording import FieldError, describe, did_you_mean, join_words
from ipusim.formats import WHOLE_NUMBERS
from ipusim.ops.spec import FORMATS

_NICKNAMES = {
    "half": "float16",
    "fp16": "float16",
    "f16": "float16",
    "float": "float32",
    "fp32": "float32",
    "f32": "float32",
    "bf16": "bfloat16",
    "fp8": "float8_e4m3fnuz",
    "f8": "float8_e4m3fnuz",
    "float8": "float8_e4m3fnuz",
    "quarter": "float8_e4m3fnuz",
    "f143": "float8_e4m3fnuz",
    "e4m3": "float8_e4m3fnuz",
    "float8_e4m3": "float8_e4m3fnuz",
    "float8_e4m3fn": "float8_e4m3fnuz",
    "f152": "float8_e5m2fnuz",
    "e5m2": "float8_e5m2fnuz",
    "float8_e5m2": "float8_e5m2fnuz",
}
_NAME = r"[A-Za-z_][A-Za-z0-9_.:/-]{0,99}"


def check_name(name: str) -> str:
    """Return `name` if tensors and ops may be called so, else raise FieldError."""
    if re.fullmatch(_NAME, name):
        return name
    hint = "at most 100 letters, digits and _ . : / -, beginning with a letter or _"
    raise FieldError(f"{describe(name)} is not a name", hint)


def check_format(name: str) -> str:
    """Return `name` if it is a number format, else raise FieldError."""
    if name in FORMATS:
        return name
    hint = did_you_mean(_NICKNAMES.get(name.lower(), name), FORMATS) or f"there are {join_words(FORMATS, 'and')}"
    raise FieldError(f"unknown number format {name!r}", hint)


Name: TypeAlias = Annotated[
    str, AfterValidator(check_name), WithJsonSchema({"type": "string", "pattern": f"^{_NAME}$"})
]
"""Name of a tensor or op."""

Format: TypeAlias = Annotated[str, AfterValidator(check_format), WithJsonSchema({"enum": list(FORMATS)})]
"""Name of a number format."""

TENSOR_FORMATS = (*FORMATS, WHOLE_NUMBERS)
"""Formats that a declared tensor may have."""


def check_tensor_format(name: str) -> str:
    """Return `name` if a tensor may have that format, else raise FieldError."""
    return name if name == WHOLE_NUMBERS else check_format(name)


TensorFormat: TypeAlias = Annotated[
    str, AfterValidator(check_tensor_format), WithJsonSchema({"enum": list(TENSOR_FORMATS)})
]
"""Name of a number format, or that of whole numbers."""
