"""Converters: one function per operator of ONNX, in a table per topic."""
