"""Sparse patterns and containers."""
