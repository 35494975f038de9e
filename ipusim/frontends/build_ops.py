"""Operators of a workload: names, operands, attributes and shapes checked, in the order of the file."""

from __future__ import annotations

from collections.abc import Mapping

from ipusim.files.wording import did_you_mean
from ipusim.formats import WHOLE_NUMBERS
from ipusim.frontends.attributes import given_attributes, read_attributes
from ipusim.frontends.build_tensors import check_bytes
from ipusim.frontends.draft import UNREADABLE, Draft
from ipusim.frontends.entries import OpEntry
from ipusim.frontends.order import report_order, writers
from ipusim.frontends.parts import result_sparsity, same_pattern
from ipusim.ir.tensor import Op, Tensor
from ipusim.ops.registry import find_op, op_names
from ipusim.ops.spec import OpSpec, ShapeError, settled


def build_ops(draft: Draft) -> None:
    """Add every sound op and its result to `draft`, and report all that is wrong with the others."""
    writer_of = writers(draft)
    report_order(draft, writer_of)
    _check_results(draft, writer_of)
    _check_op_names(draft)
    known = draft.tensors.keys() | writer_of.keys()
    written = draft.workload.document.data["ops"]
    for position, entry in enumerate(draft.workload.ops):
        spec = _find_spec(draft, position, entry)
        given = given_attributes(written[position])
        attrs = read_attributes(draft, position, spec, given) if spec else None
        if position in draft.broken_ops:
            continue
        operands = _find_operands(draft, position, entry, known)
        if attrs and all(operands):
            attrs = settled(attrs, tuple(each for each in operands if each), given)
        result = None
        if spec and _operands_are_allowed(draft, position, spec, operands) and attrs is not None:
            result = _infer(draft, position, spec, attrs, operands)
        if writer_of.get(entry.output) == position:
            draft.tensors[entry.output] = result
            draft.ops[position] = Op(entry.name or entry.output, entry.op, entry.inputs, (entry.output,), attrs or {})


def _check_results(draft: Draft, writer_of: Mapping[str, int]) -> None:
    """Report every result whose name another tensor has."""
    for position, entry in draft.entries():
        name, where = entry.output, ("ops", position, "output")
        if name in draft.workload.tensors:
            draft.report(where, f"{name!r} is already an input, tensors.{name}", "give the result another name")
        elif writer_of[name] != position:
            draft.report(where, f"{name!r} is already the result of ops.{writer_of[name]}", "a tensor is written once")


def _check_op_names(draft: Draft) -> None:
    """Report every op whose name an op before it has."""
    names: dict[str, int] = {}
    for position, entry in draft.entries():
        name = entry.name or entry.output
        first = names.setdefault(name, position)
        if first != position and draft.workload.ops[first].output != entry.output:
            draft.report(
                ("ops", position, "name" if entry.name else "output"), f"{name!r} is already the name of ops.{first}"
            )


def _find_spec(draft: Draft, position: int, entry: OpEntry) -> OpSpec | None:
    if entry.op in op_names():
        return find_op(entry.op)
    if entry.op != UNREADABLE or position not in draft.broken_ops:
        hint = did_you_mean(entry.op, op_names()) or "`ipusim schema workload` lists them all"
        draft.report(("ops", position, "op"), f"unknown operator {entry.op!r}", hint)
    return None


def _find_operands(draft: Draft, position: int, entry: OpEntry, known: set[str]) -> tuple[Tensor | None, ...]:
    """Return the operands; None for one that is not known yet or at all."""
    for index, name in enumerate(entry.inputs):
        if name not in known:
            hint = draft.suggest(name, known - {entry.output})
            draft.report(("ops", position, "inputs", index), f"there is no tensor {name!r}", hint)
    return tuple(draft.tensors.get(name) for name in entry.inputs)


def _operands_are_allowed(draft: Draft, position: int, spec: OpSpec, operands: tuple[Tensor | None, ...]) -> bool:
    """Return whether number and storage of the operands suit the operator; report what does not."""
    where = ("ops", position, "inputs")
    if len(operands) < len(spec.inputs) or (len(operands) > len(spec.inputs) and not spec.variadic):
        expected = f"{len(spec.inputs)} operand{'s' if len(spec.inputs) > 1 else ''} ({', '.join(spec.inputs)})"
        expected = f"at least {expected}" if spec.variadic else expected
        draft.report(where, f"{spec.name} takes {expected}, found {len(operands)}")
        return False
    deep = [(index, each.name) for index, each in enumerate(operands) if each and each.sparsity and len(each.shape) > 2]
    if deep and spec.expands is None:
        index, name = deep[0]
        message = f"{name} is sparse, and {spec.name} takes sparse matrices"
        draft.report((*where, index), message, "only a convolution takes sparse weights of more dimensions")
        return False
    if spec.family == "map" and any(tensor and tensor.sparsity for tensor in operands):
        return _share_pattern(draft, position, spec, operands)
    allowed = True
    for index, tensor in enumerate(operands):
        if tensor and tensor.sparsity and index not in spec.sparse_inputs:
            draft.report((*where, index), f"{tensor.name} is sparse, and {spec.name} takes only dense operands here")
            allowed = False
        elif tensor and tensor.sparsity and tensor.sparsity.pattern_of:
            draft.report((*where, index), f"{tensor.name} is a result; a sparse operand has to be an input of the file")
            allowed = False
        elif tensor and not _kind_is_allowed(draft, (*where, index), spec, index, tensor):
            allowed = False
        elif tensor and not tensor.sparsity and index == spec.sparse_result:
            draft.report((*where, index), f"{tensor.name} is dense, and {spec.name} needs a sparse operand here")
            allowed = False
    return allowed


def _kind_is_allowed(draft: Draft, where: tuple[str | int, ...], spec: OpSpec, index: int, tensor: Tensor) -> bool:
    """Return whether an operand is of whole numbers where the operator needs them, and nowhere else; report if not."""
    whole = tensor.dtype == WHOLE_NUMBERS
    if index in spec.whole_inputs and not whole:
        message = f"{tensor.name} is {tensor.dtype}, and {spec.name} takes whole numbers here"
        draft.report(where, message, f"declare it with dtype: {WHOLE_NUMBERS}")
        return False
    takes_any = spec.any_format or spec.family in ("move", "view")
    if whole and index not in spec.whole_inputs and not takes_any:
        message = f"{tensor.name} holds whole numbers ({WHOLE_NUMBERS}), and {spec.name} computes in floats"
        draft.report(where, message, "insert a cast")
        return False
    return True


def _share_pattern(draft: Draft, position: int, spec: OpSpec, operands: tuple[Tensor | None, ...]) -> bool:
    """Return whether elementwise operands are sparse tensors of one pattern, or single numbers; report what is not."""
    known = [tensor for tensor in operands if tensor]
    like = next(tensor for tensor in known if tensor.sparsity)
    allowed = True
    for index, tensor in enumerate(operands):
        if tensor is None or (tensor.sparsity is None and tensor.n_elements == 1) or same_pattern(tensor, like):
            continue
        message = f"{spec.name} works on the non-zeros of {like.name}, and {tensor.name} does not have its pattern"
        draft.report(("ops", position, "inputs", index), message, "gradients and states of a tensor have its pattern")
        allowed = False
    return allowed


def _infer(
    draft: Draft, position: int, spec: OpSpec, attrs: dict[str, object], operands: tuple[Tensor | None, ...]
) -> Tensor | None:
    """Return the result of an op; None if an operand is unknown or something is wrong, which is reported."""
    sound = tuple(tensor for tensor in operands if tensor)
    if len(sound) < len(operands):
        return None
    try:
        shape, dtype = spec.infer(sound, attrs)
    except ShapeError as error:
        draft.report(_place(position, error), error.message, error.hint)
        return None
    sparsity = result_sparsity(spec, sound)
    result = Tensor(draft.workload.ops[position].output, shape, dtype, sparsity=sparsity)
    return result if check_bytes(draft, ("ops", position, "output"), result) else None


def _place(position: int, error: ShapeError) -> tuple[str | int, ...]:
    if error.attribute:
        return ("ops", position, error.attribute)
    if error.operand is not None:
        return ("ops", position, "inputs", error.operand)
    return ("ops", position)
