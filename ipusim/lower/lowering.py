"""From a graph and its plans to a program."""

from __future__ import annotations

from ipusim.chip.model import Chip
from ipusim.ir.graph import Graph
from ipusim.ir.program import Program
from ipusim.lower.builder import Builder
from ipusim.lower.elementwise import lower_elementwise
from ipusim.lower.matmul import lower_matmul
from ipusim.lower.verify import verify_program
from ipusim.plan.dense import DensePlan
from ipusim.plan.graph import Plans


def lower_graph(graph: Graph, plans: Plans, chip: Chip) -> Program:
    """Return the program of `graph`.

    Parameters
    ----------
    graph : Graph
    plans : mapping of op name to plan
        A :class:`~ipusim.plan.dense.DensePlan` for every matmul.
    chip : Chip

    Raises
    ------
    VerifierError
        When the result breaks a rule of the machine: a defect of a lowering.
    """
    builder = Builder(graph, chip)
    for op in graph.ops:
        plan = plans.get(op.name)
        if isinstance(plan, DensePlan):
            lower_matmul(builder, op, plan)
        else:
            lower_elementwise(builder, op)
    program = builder.program()
    verify_program(program)
    return program
