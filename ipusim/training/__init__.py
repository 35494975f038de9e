"""Sparse training: which weights are kept, how that changes, what it saves."""
