"""Names of a model as names of a workload file."""

from __future__ import annotations

import re

LONGEST = 80
"""Most characters taken over; what is made of a node adds the names of its parts."""


class Names:
    """Gives out names that nothing else has."""

    def __init__(self) -> None:
        self._taken: set[str] = set()

    def take(self, name: str) -> str:
        """Return `name` as a workload file allows it, with a number if another thing is called so already."""
        plain = readable(name)
        found, number = plain, 1
        while found in self._taken:
            number += 1
            found = f"{plain}_{number}"
        self._taken.add(found)
        return found


def readable(name: str) -> str:
    """Return `name` in letters, digits and ``_ . : / -``, beginning with a letter or ``_``.

    TorchScript begins the names of its nodes with a slash, which goes.
    """
    plain = re.sub(r"[^A-Za-z0-9_.:/-]", "_", name.strip("/"))
    if not re.match(r"[A-Za-z_]", plain):
        plain = f"_{plain}"
    return plain if len(plain) <= LONGEST else f"{plain[: LONGEST // 2 - 1]}..{plain[-LONGEST // 2 + 1 :]}"
