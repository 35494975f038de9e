"""Objects that show themselves: as HTML in a notebook, as the terminal report at an IPython prompt."""

from __future__ import annotations

from abc import ABC, abstractmethod


class Displayed(ABC):
    """A result that has both forms."""

    @abstractmethod
    def display_texts(self) -> tuple[str, str]:
        """Return the report as plain text and as a piece of HTML without scripts."""

    def _repr_html_(self) -> str:
        return self.display_texts()[1]

    def _repr_mimebundle_(self, **_wanted: object) -> dict[str, str]:
        text, html = self.display_texts()
        return {"text/plain": text, "text/html": html}
