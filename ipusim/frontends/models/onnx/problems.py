"""What can be wrong with an ONNX file, and how messages name the nodes of its graph."""

from __future__ import annotations

from collections.abc import Iterable


class ModelFileError(ValueError):
    """A file that is no usable ONNX model.

    Parameters
    ----------
    messages : iterable of str
        Everything that is wrong; each names the node at fault, where one is.
    """

    def __init__(self, messages: Iterable[str]) -> None:
        self.messages = tuple(messages)
        super().__init__("; ".join(self.messages))


class NodeError(ValueError):
    """A node that cannot be imported; the text says why, without the name of the node."""
