"""How many elements one load or store of a tile moves."""

from __future__ import annotations

from typing import Any


def vector_elements(chip: Any, dtype: str) -> int:
    """Return the elements of a load or store over the data path of `chip`, at least one.

    Formats of 8 bits are costed like those of 16, as nothing else is published.
    """
    return max(1, int(chip.data_path_bytes) // (4 if dtype == "float32" else 2))
