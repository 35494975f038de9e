"""Plans of a whole graph: every op that has a choice gets one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import prod

from ipusim.chip.model import Chip
from ipusim.ir.graph import Graph
from ipusim.ir.tensor import Op
from ipusim.ops.matmul import matrix_extents
from ipusim.plan.dense import DensePlan, plan_matmul, product_of, resident_bytes
from ipusim.plan.problem import MatMulProblem, PlanOptions


@dataclass(frozen=True, slots=True)
class Unplannable:
    """An op for which no plan exists on the chip.

    Attributes
    ----------
    op : str
    reason : str
        ``no_amp_mode`` (the chip cannot compute in these formats) or ``memory``.
    problem : MatMulProblem
    """

    op: str
    reason: str
    problem: MatMulProblem

    @property
    def resident_bytes(self) -> int:
        """Bytes of operands and result together."""
        return resident_bytes(product_of(self.problem))


Plans = Mapping[str, DensePlan | Unplannable]


def plan_graph(graph: Graph, chip: Chip, options: PlanOptions) -> dict[str, DensePlan | Unplannable]:
    """Return the plan of every matmul of `graph`, or why there is none. Equal matmuls are planned once."""
    plans: dict[str, DensePlan | Unplannable] = {}
    for op in graph.ops:
        if op.kind != "matmul":
            continue
        problem = matmul_problem(graph, op)
        plan = plan_matmul(problem, chip, options)
        plans[op.name] = plan or Unplannable(op.name, _reason(problem, chip), problem)
    return plans


def _reason(problem: MatMulProblem, chip: Chip) -> str:
    formats = {(mode.inputs, mode.partials) for mode in chip.amp_modes}
    return "memory" if (problem.inputs_format, problem.partials_format) in formats else "no_amp_mode"


def matmul_problem(graph: Graph, op: Op) -> MatMulProblem:
    """Return the matrix product that a matmul op asks for.

    A batch of left operands that share a plain right operand is one product with more rows.
    """
    left, right = (graph.tensors[name] for name in op.inputs)
    m, k, _, n = matrix_extents(left.shape, right.shape, op.attrs)
    groups = max(prod(left.shape[:-2]), prod(right.shape[:-2]))
    if groups > 1 and len(right.shape) == 2 and not op.attrs.get("transpose_a"):
        m, groups = m * groups, 1
    output = graph.tensors[op.outputs[0]]
    return MatMulProblem(groups, m, k, n, left.dtype, str(op.attrs["partials"]), output.dtype)
