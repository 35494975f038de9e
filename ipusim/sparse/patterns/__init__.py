"""Sparsity patterns, one file each: :mod:`~ipusim.sparse.patterns.registry` finds them."""
