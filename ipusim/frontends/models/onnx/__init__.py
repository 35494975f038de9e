"""Networks from ONNX files."""

from ipusim.frontends.models.onnx.source import MODEL

__all__ = ["MODEL"]
