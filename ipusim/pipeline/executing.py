"""Execute a compiled workload on its values, and check every op against its float64 reference."""

from __future__ import annotations

from collections.abc import Callable
from math import prod
from typing import Any

import numpy as np
import psutil
from numpy.typing import NDArray

from ipusim.engine.check import OpChecker
from ipusim.engine.execution import execute_program
from ipusim.engine.initial import unpacked
from ipusim.engine.rounding import Rounding
from ipusim.errors import BadInputError, Problem
from ipusim.frontends.patterns import sparse_values
from ipusim.frontends.values import tensor_values
from ipusim.ir.program import Program
from ipusim.pipeline.compiling import Compiled

F32Array = NDArray[np.float32]

USABLE_MEMORY = 0.8
"""Part of the machine's free memory that the values of a program may take."""


def execute(
    compiled: Compiled, verify: bool, threads: int | None, say: Callable[[str], None]
) -> tuple[dict[str, Any], dict[str, F32Array]]:
    """Return the check and the outputs of a program, the latter in the shapes of the workload.

    Raises
    ------
    BadInputError
        When the values would not fit in this machine's memory.
    """
    program, graph = compiled.program, compiled.graph
    assert program is not None
    _require_memory(compiled, program)
    say("generating values")
    values = {}
    for name in graph.inputs:
        tensor = graph.tensors[name]
        values[name] = (sparse_values if tensor.sparsity is not None else tensor_values)(tensor, graph.seed)
    stochastic = compiled.workload.compile.rounding == "stochastic"
    rounding = Rounding(stochastic, graph.seed)
    checker = OpChecker(graph, program, graph.seed, stochastic)

    def tell(fraction: float, superstep: str) -> None:
        say(f"executing {100 * fraction:.0f} % {superstep}")

    results = execute_program(program, values, threads, verify, tell, checker.after_op, rounding)
    outputs = {}
    for name, array in results.items():
        tensor, variable = graph.tensors[name], program.variables[program.outputs[name]]
        outputs[name] = unpacked(variable, array, tensor.n_elements) if variable.tensor else array
        outputs[name] = outputs[name].reshape(tensor.shape)
    return checker.result(), outputs


def _require_memory(compiled: Compiled, program: Program) -> None:
    storages = {variable.storage: prod(variable.shape) for variable in program.variables.values()}
    dense = sum(compiled.graph.tensors[name].n_elements for name in compiled.graph.inputs)
    needed = 4 * (sum(storages.values()) + 2 * dense)
    free = psutil.virtual_memory().available
    if needed > USABLE_MEMORY * free:
        gib = 2.0**30
        message = f"executing it takes about {needed / gib:.3g} GiB, this machine has {free / gib:.3g} GiB free"
        name = compiled.workload.document.name
        raise BadInputError([Problem(name, 0, 0, "", message, "count cycles alone with --no-execute")])
