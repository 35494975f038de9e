"""What the compiler has decided beyond the workload, so that it fits: the levers it took."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

WHAT = {
    "temporaries": "at most {bound:,} bytes of temporary data on a tile",
    "outline": "repeated layers share their exchange code; what they send is copied to a common place",
    "recompute": "computed again for later readers",
    "stream": "in DRAM, streamed in for each op that reads them",
}
"""What a lever does, in words, by its kind."""


@dataclass(frozen=True, slots=True)
class Choice:
    """Decisions that trade cycles for memory.

    Attributes
    ----------
    temporaries : Mapping of str to int
        Bound of the temporary bytes of an op on a tile, by op.
    outlined : bool
        Repeated layers share their exchange code.
    recomputed : Mapping of str to tuple of str
        Tensors that are computed again for some of the ops that read them.
    streamed : frozenset of str
        Inputs that lie in DRAM instead of SRAM.
    """

    temporaries: Mapping[str, int] = field(default_factory=dict)
    outlined: bool = False
    recomputed: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    streamed: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Lever:
    """One lever that the compiler took.

    Attributes
    ----------
    kind : str
        One of :data:`ipusim.frontends.entries.LEVERS`.
    targets : tuple of str
        Ops or tensors that it concerns.
    added_cycles : int
        What it costs, as estimated before it was taken.
    bound : int
        Of ``temporaries``: bytes of temporary data on a tile.
    """

    kind: str
    targets: tuple[str, ...]
    added_cycles: int
    bound: int = 0

    @property
    def what(self) -> str:
        """What it did, in words."""
        return WHAT[self.kind].format(bound=self.bound)

    def to_dict(self) -> dict[str, object]:
        """Return the lever as plain values."""
        return {
            "lever": self.kind,
            "what": self.what,
            "targets": list(self.targets),
            "added_cycles": self.added_cycles,
        }


@dataclass(frozen=True, slots=True)
class Candidate:
    """A lever that has not been tried yet.

    Attributes
    ----------
    lever : Lever
    choice : Choice
        All decisions, with this one.
    """

    lever: Lever
    choice: Choice


@dataclass(frozen=True, slots=True)
class Peak:
    """Where a program that does not fit is fullest.

    Attributes
    ----------
    tile : int
    step : int
        Superstep, counted without repetition.
    op : str
        Op of that superstep.
    excess_bytes : int
        What is too much on that tile.
    """

    tile: int
    step: int
    op: str
    excess_bytes: int
