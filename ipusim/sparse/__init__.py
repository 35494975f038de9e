"""Sparse matrices: blocks, layouts, patterns."""
