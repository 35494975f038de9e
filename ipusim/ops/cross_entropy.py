"""Cross-entropy of logits and target probabilities, the mean over all rows."""

from __future__ import annotations

import numpy as np

from ipusim.ir.tensor import Tensor
from ipusim.ops.composite import composite
from ipusim.ops.gradient import Backward, Gradients
from ipusim.ops.spec import Attrs, Expansion, F64Array, Saved, ShapeError, TensorType, shared_dtype, shown


def _infer(inputs: tuple[Tensor, ...], _attrs: Attrs) -> TensorType:
    logits, targets = inputs
    if logits.shape != targets.shape:
        message = f"{shown(logits)} and {shown(targets)} differ in shape"
        raise ShapeError(message, operand=1, hint="targets are a probability for each class")
    return TensorType((1,), shared_dtype(inputs))


def _reference(arrays: tuple[F64Array, ...], _attrs: Attrs) -> F64Array:
    logits, targets = arrays
    shifted = logits - logits.max(axis=-1, keepdims=True)
    logarithms = shifted - np.log(np.exp(shifted).sum(axis=-1, keepdims=True))
    return np.asarray([-(targets * logarithms).sum(axis=-1).mean()])


def _expand(graph: Expansion, inputs: tuple[Tensor, ...], _attrs: Attrs) -> Saved:
    """Logarithms of the softmax times the targets; the mean over everything, times minus the number of classes."""
    logits, targets = inputs
    last = (len(logits.shape) - 1,)
    shifted = graph.add("sub", logits.name, graph.add("max", logits.name, axes=last, keepdims=True))
    total = graph.add("sum", graph.add("exp", shifted), axes=last, keepdims=True)
    logarithms = graph.add("sub", shifted, graph.add("log", total))
    mean = graph.add("mean", graph.add("mul", targets.name, logarithms), axes=())
    graph.add("scale_shift", mean, scale=-float(logits.shape[-1]), shift=0.0)
    return {"logarithms": logarithms}


def _gradient(call: Backward) -> Gradients:
    """``(softmax - targets) dy / rows``, for targets that add up to one in each row; targets have no gradient."""
    logits, targets = call.inputs
    rows = logits.n_elements // logits.shape[-1]
    excess = call.add("sub", call.add("exp", call.saved["logarithms"]), targets.name)
    share = call.add("scale_shift", call.upstream, scale=1.0 / rows)
    return call.add("mul", excess, share), None


OP = composite(
    "cross_entropy",
    "Cross-entropy of logits and target probabilities along the last axis, the mean over all rows",
    ("logits", "targets"),
    _infer,
    _reference,
    _expand,
    flops_per_element=1,
    gradient=_gradient,
)
