"""The whole chain, from a workload and a chip to a result; nothing else knows all of it."""

from ipusim.pipeline.compiling import Compiled, compile_workload
from ipusim.pipeline.run import Run
from ipusim.pipeline.simulation import simulate

__all__ = ["Compiled", "Run", "compile_workload", "simulate"]
