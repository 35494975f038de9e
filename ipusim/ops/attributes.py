"""The kinds of attributes of operators: how they are read and described."""

from __future__ import annotations

from dataclasses import dataclass
from math import isfinite
from typing import Protocol

from ipusim.files.wording import FieldError, describe, did_you_mean, join_words


class Attribute(Protocol):
    """One attribute of an operator, as the user writes it beside ``op`` and ``inputs``."""

    @property
    def name(self) -> str:
        """Key in the workload file."""

    @property
    def default(self) -> object:
        """Value when the key is absent; None when the key is required."""

    def read(self, value: object) -> object:
        """Return the checked value, or raise FieldError saying what is expected."""

    def schema(self) -> dict[str, object]:
        """Return the JSON Schema of the value."""


@dataclass(frozen=True, slots=True)
class Flag:
    """A true-or-false attribute."""

    name: str
    text: str
    default: bool = False

    def read(self, value: object) -> object:
        """Return `value` if it is a bool, else raise FieldError."""
        if not isinstance(value, bool):
            raise FieldError(f"expected true or false, found {describe(value)}")
        return value

    def schema(self) -> dict[str, object]:
        """Return the JSON Schema of the value."""
        return {"type": "boolean", "default": self.default, "description": self.text}


@dataclass(frozen=True, slots=True)
class Choice:
    """An attribute that is one of a few words; required where `default` is None."""

    name: str
    text: str
    choices: tuple[str, ...]
    default: str | None = None

    def read(self, value: object) -> object:
        """Return `value` if it is one of the choices, else raise FieldError."""
        if not isinstance(value, str) or value not in self.choices:
            message = f"expected {join_words(self.choices)}, found {describe(value)}"
            raise FieldError(message, did_you_mean(value, self.choices) if isinstance(value, str) else "")
        return value

    def schema(self) -> dict[str, object]:
        """Return the JSON Schema of the value."""
        schema: dict[str, object] = {"enum": list(self.choices), "description": self.text}
        return schema if self.default is None else schema | {"default": self.default}


@dataclass(frozen=True, slots=True)
class Real:
    """An attribute that is a finite number, at least `least` and less than `below`."""

    name: str
    text: str
    default: float | None = None
    least: float | None = None
    below: float | None = None

    def read(self, value: object) -> object:
        """Return `value` as a float if it is a finite number in range, else raise FieldError."""
        if isinstance(value, bool) or not isinstance(value, (int, float)) or not isfinite(value):
            raise FieldError(f"expected a finite number, found {describe(value)}")
        if self.least is not None and value < self.least:
            raise FieldError(f"expected at least {self.least:g}, found {value:g}")
        if self.below is not None and value >= self.below:
            raise FieldError(f"expected a number below {self.below:g}, found {value:g}")
        return float(value)

    def schema(self) -> dict[str, object]:
        """Return the JSON Schema of the value."""
        schema: dict[str, object] = {"type": "number", "description": self.text}
        if self.least is not None:
            schema["minimum"] = self.least
        if self.below is not None:
            schema["exclusiveMaximum"] = self.below
        return schema if self.default is None else schema | {"default": self.default}


@dataclass(frozen=True, slots=True)
class Whole:
    """An attribute that is a whole number from `least` to `most`."""

    name: str
    text: str
    default: int | None = None
    least: int | None = None
    most: int | None = None

    def read(self, value: object) -> object:
        """Return `value` if it is a whole number in range, else raise FieldError."""
        if isinstance(value, bool) or not isinstance(value, int):
            raise FieldError(f"expected a whole number, found {describe(value)}")
        if self.least is not None and value < self.least:
            raise FieldError(f"expected at least {self.least}, found {value}")
        if self.most is not None and value > self.most:
            raise FieldError(f"expected at most {self.most}, found {value}")
        return value

    def schema(self) -> dict[str, object]:
        """Return the JSON Schema of the value."""
        schema: dict[str, object] = {"type": "integer", "description": self.text}
        if self.least is not None:
            schema["minimum"] = self.least
        if self.most is not None:
            schema["maximum"] = self.most
        return schema if self.default is None else schema | {"default": self.default}


@dataclass(frozen=True, slots=True)
class Wholes:
    """An attribute that is a list of whole numbers; required where `default` is None."""

    name: str
    text: str
    default: tuple[int, ...] | None = None

    def read(self, value: object) -> object:
        """Return `value` as a tuple if it is a list of whole numbers, else raise FieldError."""
        if not isinstance(value, (list, tuple)) or any(isinstance(v, bool) or not isinstance(v, int) for v in value):
            raise FieldError(f"expected a list of whole numbers, found {describe(value)}")
        return tuple(value)

    def schema(self) -> dict[str, object]:
        """Return the JSON Schema of the value."""
        schema: dict[str, object] = {"type": "array", "items": {"type": "integer"}, "description": self.text}
        return schema if self.default is None else schema | {"default": list(self.default)}
