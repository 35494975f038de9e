"""The error tree: what the user did wrong, and what the simulator got wrong itself."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

_LONGEST = 2000
"""Characters of a part of a message, beyond which its middle is left out."""
_TOO_MANY = 300
"""Problems, beyond which only the first are told; well above how many those are, so that few are never left out."""
_MOST_TOLD = 200


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing wrong with an input, and where it stands.

    Attributes
    ----------
    file : str
        Name of the file as the user gave it, or of the option (``--set``).
    line, column : int
        1-based position; 0 where the input has none (a dict, an option).
    path : str
        Dotted path of the field inside the document, such as ``tensors.w.shape``.
    message : str
        What is wrong, as a sentence without a full stop.
    hint : str
        A suggestion such as ``did you mean 'matmul'?``; may be empty.
    """

    file: str
    line: int
    column: int
    path: str
    message: str
    hint: str = ""

    def __str__(self) -> str:
        file = _shortened(self.file)
        where = f"{file}:{self.line}:{self.column}" if self.line else file
        message = _shortened(self.message)
        text = f"{where}: {_shortened(self.path)}: {message}" if self.path else f"{where}: {message}"
        return f"{text} ({_shortened(self.hint)})" if self.hint else text


def _shortened(text: str) -> str:
    """Return a text without the middle of what would fill a screen: a list of thousands that the user wrote."""
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST * 3 // 4]} … {text[-_LONGEST // 4 :]}"


class IpusimError(Exception):
    """Base of every error that ipusim raises on purpose.

    ``exit_code`` is what the command line returns for it.
    """

    exit_code = 2


class BadInputError(IpusimError):
    """One or several problems in what the user gave; all of them are listed at once, of very many the first 200."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        found = tuple(problems)
        if len(found) > _TOO_MANY:
            rest = Problem(found[0].file, 0, 0, "", f"only {_MOST_TOLD} of {len(found):,} problems are shown")
            found = (*found[:_MOST_TOLD], rest)
        self.problems = found
        super().__init__("\n".join(str(problem) for problem in self.problems))


class VerifierError(IpusimError):
    """A compiler pass produced a program that breaks a rule of the machine: a defect of ipusim."""

    exit_code = 1


class ResidencyError(IpusimError):
    """A vertex read data that its tile does not hold: a defect of ipusim."""

    exit_code = 1
