"""What a training has come to: plain values, ready for JSON, that show themselves in a notebook."""

from __future__ import annotations

from typing import Any

from ipusim.report.display import Displayed


class TrainingDocument(dict[str, Any], Displayed):
    """The document of one training, or of several methods (with a key ``runs``)."""

    def to_html(self) -> str:
        """Return the training as one HTML page that needs nothing else."""
        from ipusim.report.html.train import render_training_page

        return render_training_page(self)

    def display_texts(self) -> tuple[str, str]:
        """Return the report as plain text and as a piece of HTML without scripts."""
        from ipusim.report.html.train import render_training_part
        from ipusim.report.training import render_methods, render_training

        render = render_methods if "runs" in self else render_training
        return render(self), render_training_part(self)
