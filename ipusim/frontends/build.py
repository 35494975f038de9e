"""From a workload to a checked graph."""

from __future__ import annotations

from ipusim.errors import BadInputError
from ipusim.frontends.build_ops import build_ops
from ipusim.frontends.build_tensors import build_tensors, check_total_bytes
from ipusim.frontends.draft import Draft, in_file_order
from ipusim.frontends.expand import expand_graph
from ipusim.frontends.model import Workload
from ipusim.frontends.precision import insert_casts
from ipusim.frontends.training_checks import check_training
from ipusim.ir.graph import Graph


def build_graph(workload: Workload) -> Graph:
    """Return the graph of a workload, in which everything fits together.

    Every op of the file is in the graph, composite ones as the ops that they consist of.
    A declared tensor that no op reads is not: it takes neither memory nor time.

    Raises
    ------
    BadInputError
        With every problem, each at its place in the file: names, order, shapes, formats, attributes, sparsity, files of
        values, sizes.
    """
    return insert_casts(expand_graph(assemble_graph(workload)))


def assemble_graph(workload: Workload) -> Graph:
    """Return the graph of a workload with its composite ops as they stand; see :func:`build_graph`."""
    draft = draft_graph(Draft(workload))
    if draft.problems:
        raise BadInputError(in_file_order(draft.problems))
    ops = tuple(draft.ops[position] for position in sorted(draft.ops))
    read = {name for op in ops for name in op.inputs}
    used = read | {name for op in ops for name in op.outputs}
    tensors = {name: tensor for name, tensor in draft.tensors.items() if tensor and name in used}
    outputs = workload.outputs or tuple(name for op in ops for name in op.outputs if name not in read)
    return Graph(workload.name, tensors, ops, outputs, workload.seed)


def draft_graph(draft: Draft) -> Draft:
    """Fill in `draft` as far as its workload is sound, with every problem found on the way."""
    if not draft.workload.ops:
        draft.report(("ops",), "there is nothing to do", "add an operator, such as {op: relu, inputs: [x], output: y}")
    build_tensors(draft)
    build_ops(draft)
    check_total_bytes(draft)
    _check_outputs(draft)
    check_training(draft)
    return draft


def _check_outputs(draft: Draft) -> None:
    seen: set[str] = set()
    results = {entry.output for _, entry in draft.entries()} | draft.broken_tensors
    for index, name in enumerate(draft.workload.outputs):
        place = ("outputs", index)
        if name in seen:
            draft.report(place, f"{name!r} is listed twice")
        elif name in results:
            seen.add(name)
        elif name in draft.workload.tensors:
            draft.report(place, f"{name!r} is an input; no op writes it")
        else:
            draft.report(place, f"no op writes {name!r}", draft.suggest(name, results))
