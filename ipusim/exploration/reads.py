"""Work on chips, done once for all chips that agree in the constants that the work looked at.

Points of a sweep often differ in constants that a plan or a program does not depend on. Which those are is not listed
anywhere, but observed: the work is given a chip that notes which of its constants are read.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterator, Mapping
from typing import Any, Generic, Self, TypeVar

from ipusim.chip.model import Chip

R = TypeVar("R")

_FIELDS = frozenset(Chip.model_fields)
_READS = "_reads"


class TracedChip(Chip):
    """A chip that notes which of its constants are read; reading it as a whole notes all of them."""

    @classmethod
    def of(cls, chip: Chip) -> Self:
        """Return a traced copy of `chip`, of which nothing has been read."""
        traced = cls.model_construct(**{name: chip.__dict__[name] for name in _FIELDS})
        traced._provenance = chip.provenance
        traced.__dict__[_READS] = set()
        return traced

    @property
    def reads(self) -> frozenset[str]:
        """Names of the constants that were read."""
        return frozenset(self.__dict__[_READS])

    def __getattribute__(self, name: str) -> Any:
        if name in _FIELDS:
            object.__getattribute__(self, "__dict__")[_READS].add(name)
        return super().__getattribute__(name)

    def _read_all(self) -> None:
        self.__dict__[_READS].update(_FIELDS)

    def __hash__(self) -> int:
        self._read_all()
        return super().__hash__()

    def __eq__(self, other: object) -> bool:
        self._read_all()
        return super().__eq__(other)

    def __iter__(self) -> Iterator[Any]:  # type: ignore[override]
        self._read_all()
        yield from super().__iter__()

    def model_copy(self, *, update: Mapping[str, Any] | None = None, deep: bool = False) -> Self:
        """Return a copy; all constants count as read."""
        self._read_all()
        return super().model_copy(update=update, deep=deep)

    def model_dump(self, **options: Any) -> dict[str, Any]:
        """Return the constants; all of them count as read."""
        self._read_all()
        return super().model_dump(**options)


class ChipMemo(Generic[R]):
    """Results of work on a chip, the most recent ones kept.

    The work has to be a function of its key and of what it reads of the chip: then chips that agree in everything that
    was read lead it the same way to the same result.

    Parameters
    ----------
    size : int
        Results kept.
    """

    def __init__(self, size: int) -> None:
        self._size = size
        self._reads: dict[Hashable, dict[tuple[str, ...], None]] = {}
        self._found: OrderedDict[tuple[Hashable, tuple[str, ...], tuple[Any, ...]], R] = OrderedDict()

    def get(self, key: Hashable, chip: Chip, work: Callable[[Chip], R]) -> tuple[R, Hashable]:
        """Return the result of `work` on `chip`, and a name for it that all chips with this result share."""
        for names in self._reads.get(key, ()):
            place = (key, names, _values(chip, names))
            if place in self._found:
                self._found.move_to_end(place)
                return self._found[place], place
        traced = TracedChip.of(chip)
        result = work(traced)
        names = tuple(sorted(traced.reads))
        place = (key, names, _values(chip, names))
        self._reads.setdefault(key, {})[names] = None
        self._found[place] = result
        while len(self._found) > self._size:
            self._forget(next(iter(self._found)))
        return result, place

    def _forget(self, place: tuple[Hashable, tuple[str, ...], tuple[Any, ...]]) -> None:
        del self._found[place]
        key = place[0]
        if not any(other[0] == key for other in self._found):
            self._reads.pop(key, None)


def _values(chip: Chip, names: tuple[str, ...]) -> tuple[Any, ...]:
    return tuple(_hashable(getattr(chip, name)) for name in names)


def _hashable(value: Any) -> Hashable:
    return tuple(sorted(value.items())) if isinstance(value, dict) else value
