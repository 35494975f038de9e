"""Storage layouts of a sparse matrix, one file each: :mod:`~ipusim.sparse.layouts.registry` finds them."""
