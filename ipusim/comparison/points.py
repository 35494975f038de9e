"""What a sweep consists of: conditions, which share a dense baseline, and the points under each."""

from __future__ import annotations

from dataclasses import dataclass

from ipusim.report.compare_words import condition_text, density_text

DENSE = "dense"
MODES = ("static", "dynamic")


@dataclass(frozen=True, slots=True)
class Condition:
    """What a dense baseline and the sparse points compared with it have in common.

    Attributes
    ----------
    features : int or None
        Rows and columns of every swept weight; None where the workload's own are kept.
    batch : int or None
        Free dimension of the products; None where those of the workload are kept and differ.
    dtype : str
        Number format.
    """

    features: int | None
    batch: int | None
    dtype: str

    def to_dict(self) -> dict[str, object]:
        """Return the condition as JSON-ready values."""
        return {"features": self.features, "batch": self.batch, "dtype": self.dtype}

    @property
    def text(self) -> str:
        """The condition in words: ``float16, 4096 features, batch 256``."""
        return condition_text(self.to_dict())


@dataclass(frozen=True, slots=True)
class Point:
    """One thing to simulate.

    Attributes
    ----------
    condition : Condition
    mode : str
        ``dense``, ``static`` or ``dynamic``.
    block_size : int
        Edge of the blocks; 1 for the dense baseline.
    density : float
        Fraction of the weights that is kept; 1 for the dense baseline.
    """

    condition: Condition
    mode: str = DENSE
    block_size: int = 1
    density: float = 1.0

    @property
    def pattern_key(self) -> tuple[object, ...]:
        """What the points with the same non-zeros share."""
        return (self.condition.features, self.mode == DENSE, self.block_size, self.density)

    @property
    def text(self) -> str:
        """The point in words."""
        if self.mode == DENSE:
            return f"dense, {self.condition.text}"
        place = f"{self.mode}, block size {self.block_size}, density {density_text(self.density)}"
        return f"{place}, {self.condition.text}"

    def to_dict(self) -> dict[str, object]:
        """Return the point as JSON-ready values."""
        place = {"mode": self.mode, "block_size": self.block_size, "density": self.density}
        return self.condition.to_dict() | place
