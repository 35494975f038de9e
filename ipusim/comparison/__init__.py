"""Dense against sparse: a workload swept over density, block size, mode, batch, number format and size."""

from ipusim.comparison.result import Comparison
from ipusim.comparison.run import compare

__all__ = ["Comparison", "compare"]
