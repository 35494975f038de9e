"""How many elements one load or store of a tile moves."""

from __future__ import annotations

from typing import Any


def vector_elements(chip: Any, dtype: str) -> int:
    """Return the elements of a load or store over the data path of `chip`, at least one."""
    element_bytes = 1 if dtype.startswith("float8") else 4 if dtype == "float32" else 2
    return max(1, int(chip.data_path_bytes) // element_bytes)
