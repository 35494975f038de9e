"""What the user wants swept, checked all at once."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, TypeVar

from ipusim.comparison.points import MODES
from ipusim.errors import BadInputError, Problem
from ipusim.files.units import parse_count, parse_density
from ipusim.files.wording import FieldError, describe, did_you_mean, join_words, shorten
from ipusim.frontends.entries import MAX_EXTENT
from ipusim.frontends.words import check_format

T = TypeVar("T")
Listed = str | float | Fraction | Iterable[Any] | None
"""A sequence, one value, or a text of values with commas between them; None for the default."""

DENSITIES = (1 / 4, 1 / 8, 1 / 16, 1 / 32)
BLOCK_SIZES = (1, 4, 8, 16)
MAX_POINTS = 100_000
"""Most points of a sweep."""


@dataclass(frozen=True, slots=True)
class Options:
    """What is swept. None stands for what is not asked for: the default, or the workload's own.

    Attributes
    ----------
    densities : tuple of float or None
        Ascending.
    block_sizes : tuple of int or None
        Ascending.
    modes : tuple of str
    batches, features : tuple of int or None
        Ascending.
    dtypes : tuple of str or None
    weights : tuple of str
        Patterns of names; empty for the weights that are found.
    """

    densities: tuple[float, ...] | None
    block_sizes: tuple[int, ...] | None
    modes: tuple[str, ...]
    batches: tuple[int, ...] | None
    dtypes: tuple[str, ...] | None
    features: tuple[int, ...] | None
    weights: tuple[str, ...]


def parse_options(
    densities: Listed = None,
    block_sizes: Listed = None,
    modes: Listed = None,
    batches: Listed = None,
    dtypes: Listed = None,
    features: Listed = None,
    weights: Listed = None,
    workers: int | None = None,
) -> Options:
    """Return the options of a sweep.

    Raises
    ------
    BadInputError
        With everything that is wrong with them, each named like the option of the command line.
    """
    problems: list[Problem] = []

    def read(option: str, given: Listed, parse: Callable[[Any], T]) -> tuple[T, ...] | None:
        return None if given is None else _parse_all(option, given, parse, problems)

    if workers is not None and workers < 1:
        problems.append(Problem("--workers", 0, 0, "", f"must be at least 1, not {workers}"))
    parsed = Options(
        densities=_ascending(read("--density", densities, _density)),
        block_sizes=_ascending(read("--block-size", block_sizes, _extent)),
        modes=read("--mode", modes, _mode) or MODES,
        batches=_ascending(read("--batch", batches, _extent)),
        dtypes=read("--dtype", dtypes, _dtype),
        features=_ascending(read("--features", features, _extent)),
        weights=read("--weights", weights, _name_pattern) or (),
    )
    n_points = _n_points(parsed)
    if n_points > MAX_POINTS:
        problems.append(Problem("options", 0, 0, "", f"{n_points:,} points are more than {MAX_POINTS:,}"))
    if problems:
        raise BadInputError(problems)
    return parsed


def _parse_all(option: str, given: Any, parse: Callable[[Any], T], problems: list[Problem]) -> tuple[T, ...]:
    found: dict[T, None] = {}
    for item in _items(given):
        try:
            found[parse(item)] = None
        except FieldError as error:
            separated = isinstance(item, str) and re.search(r"[;:|\s]", item)
            hint = "values are separated by commas" if separated else error.hint
            problems.append(Problem(option, 0, 0, "", error.message, hint))
    if not found and not any(problem.file == option for problem in problems):
        problems.append(Problem(option, 0, 0, "", "there is no value", "leave the option out for its default"))
    return tuple(found)


def _items(given: Any) -> Sequence[Any]:
    if isinstance(given, str):
        return [part.strip() for part in given.split(",") if part.strip()]
    if isinstance(given, Iterable):
        return [item.strip() if isinstance(item, str) else item for item in given]
    return [given]


def _ascending(values: tuple[T, ...] | None) -> tuple[T, ...] | None:
    return None if values is None else tuple(sorted(values))  # type: ignore[type-var]


def _n_points(options: Options) -> int:
    count = 1
    for swept in (options.batches, options.dtypes, options.features):
        count *= len(swept or (0,))
    sparse = len(options.densities or DENSITIES) * len(options.block_sizes or BLOCK_SIZES) * len(options.modes)
    return count * (1 + sparse)


def _density(item: Any) -> float:
    if isinstance(item, Fraction):
        item = float(item)
    if isinstance(item, str) and "/" not in item:
        with suppress(ValueError):
            item = float(item)
    return parse_density(item)


def _extent(item: Any) -> int:
    if isinstance(item, str):
        if not re.fullmatch(r"[0-9]{1,18}", item):
            raise FieldError(f"expected a whole number, found {describe(item)}")
        item = int(item)
    count = parse_count(item)
    if not 1 <= count <= MAX_EXTENT:
        raise FieldError(f"must be from 1 to {MAX_EXTENT:,}, not {count:,}")
    return count


def _mode(item: Any) -> str:
    if isinstance(item, str) and item in MODES:
        return item
    hint = did_you_mean(str(item), MODES) or f"there are {join_words(MODES, 'and')}; dense is always there"
    raise FieldError(f"unknown mode {shorten(repr(item), 40)}", hint)


def _dtype(item: Any) -> str:
    if not isinstance(item, str):
        raise FieldError(f"expected the name of a number format, found {describe(item)}")
    return check_format(item)


def _name_pattern(item: Any) -> str:
    if not isinstance(item, str) or not item:
        raise FieldError(f"expected a name or a pattern such as w*, found {describe(item)}")
    return item
