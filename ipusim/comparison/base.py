"""The workload of a sweep, and the workloads that are made of it: other extents, other formats, sparse weights."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

from ipusim.comparison.counterparts import dense_gradient, gradient_problems, gradients, with_gradients
from ipusim.comparison.extents import linked_axes
from ipusim.comparison.points import DENSE, Condition, Point
from ipusim.comparison.weights import Axis, Product, find_products
from ipusim.errors import BadInputError, Problem
from ipusim.files.wording import join_words
from ipusim.formats import WHOLE_NUMBERS
from ipusim.formats.scale import AUTO
from ipusim.frontends.build import build_graph
from ipusim.frontends.entries import SparsityEntry, TensorEntry
from ipusim.frontends.model import Workload, read_workload
from ipusim.frontends.patterns import non_zeros
from ipusim.frontends.precision import PRODUCTS
from ipusim.ir.graph import Graph
from ipusim.ir.tensor import Tensor
from ipusim.ops.spec import computed_format, is_quarter
from ipusim.sparse.patterns.spec import PatternError


@dataclass(frozen=True)
class Base:
    """A workload as the user wrote it, and what of it is swept.

    Attributes
    ----------
    workload : Workload
    graph : Graph
    products : tuple of Product
        The matmuls whose weights are made sparse.
    """

    workload: Workload
    graph: Graph
    products: tuple[Product, ...]

    @cached_property
    def weights(self) -> tuple[str, ...]:
        """Names of the swept weights, in the order of the products."""
        return tuple(dict.fromkeys(product.weight for product in self.products))

    @cached_property
    def gradients(self) -> tuple[int, ...]:
        """Positions of the ops that compute the gradient of a swept weight at its non-zeros."""
        return gradients(self.workload.ops, self.weights)

    @cached_property
    def links(self) -> dict[Axis, frozenset[Axis]]:
        """Axes that change together."""
        return linked_axes(self.graph)

    @property
    def batch(self) -> int | None:
        """The free extent of all products, if they have the same."""
        found = {self.graph.tensors[name].shape[axis] for name, axis in (product.free for product in self.products)}
        return found.pop() if len(found) == 1 else None

    @property
    def dtype(self) -> str:
        """Number format of the first weight."""
        return self.graph.tensors[self.weights[0]].dtype

    @property
    def has_own_density(self) -> bool:
        """Whether the patterns of all weights bring their density with them."""
        return all(_brings_density(self.workload.tensors[name]) for name in self.weights)

    def own_density(self) -> float:
        """Return the share of the single elements that the patterns of the weights keep.

        Raises
        ------
        BadInputError
            A file of a pattern cannot be read.
        """
        kept = total = 0.0
        for name in self.weights:
            tensor = self.graph.tensors[name]
            total += tensor.n_elements
            kept += self._kept(tensor)
        return kept / total

    def _kept(self, tensor: Tensor) -> float:
        assert tensor.sparsity is not None
        if tensor.sparsity.pattern != "file":
            return tensor.n_elements * tensor.sparsity.density
        try:
            return non_zeros(replace(tensor, sparsity=replace(tensor.sparsity, block_size=1)), self.workload.seed)
        except PatternError as error:
            where = ("tensors", tensor.name, "sparsity", "pattern", "file")
            raise BadInputError([self.workload.document.problem(where, str(error))]) from None


def load_base(workload: Workload, patterns: Sequence[str]) -> Base:
    """Return the base of a sweep of `workload`.

    Raises
    ------
    BadInputError
        Nothing of it can be made sparse, the patterns are wrong (see
        :func:`~ipusim.comparison.weights.find_products`), or the gradient of a weight has no dense counterpart.
    """
    graph = build_graph(workload)
    products = find_products(graph, patterns)
    if not products:
        message = "no matmul has an operand that could be made sparse: a 2-D input that only matmuls read"
        raise BadInputError([workload.document.problem(("ops",), message, at_key=True)])
    base = Base(workload, graph, products)
    problems = gradient_problems(graph, workload.document, base.gradients)
    if problems:
        raise BadInputError(problems)
    return base


def condition_workload(base: Base, asked: Condition) -> Workload:
    """Return the dense workload under a condition, checked.

    Parameters
    ----------
    base : Base
    asked : Condition
        With None, and an empty `dtype`, for what is to stay as it is.

    Raises
    ------
    BadInputError
        The extents cannot be changed so, or what comes out is no valid workload.
    """
    data = {**base.workload.document.data}
    data["tensors"] = {name: _dense(entry, name in base.weights) for name, entry in data["tensors"].items()}
    for (name, axis), extent in _new_extents(base, asked).items():
        shape = list(data["tensors"][name]["shape"])
        shape[axis] = extent
        data["tensors"][name]["shape"] = shape
    data["ops"] = [dense_gradient(op) if position in base.gradients else op for position, op in enumerate(data["ops"])]
    if asked.dtype:
        _change_format(data, base.graph, asked.dtype)
    original = base.workload.document
    try:
        changed = read_workload(replace(original, data=data), base.workload.folder)
        build_graph(changed)
    except BadInputError as error:
        raise BadInputError(_with_cause(error.problems, asked)) from None
    return changed


def point_workload(base: Base, dense: Workload, point: Point, own_density: bool) -> Workload:
    """Return the workload of a point, made of the dense one of its condition."""
    if point.mode == DENSE:
        return dense
    tensors = dict(dense.tensors)
    for name in base.weights:
        entry = base.workload.tensors[name]
        changes: dict[str, Any] = {"block_size": point.block_size, "mode": point.mode}
        if not own_density and not _brings_density(entry):
            changes["density"] = point.density
        sparsity = (entry.sparsity or SparsityEntry()).model_copy(update=changes)
        tensors[name] = tensors[name].model_copy(update={"sparsity": sparsity})
    return with_gradients(dense.model_copy(update={"tensors": tensors}), base.workload, base.gradients)


def _brings_density(entry: TensorEntry) -> bool:
    pattern = entry.sparsity.pattern if entry.sparsity else None
    return pattern is not None and (pattern.file is not None or pattern.n_m is not None)


def _dense(entry: Mapping[str, Any], is_swept: bool) -> dict[str, Any]:
    return {key: value for key, value in entry.items() if not (is_swept and key == "sparsity")}


def _new_extents(base: Base, asked: Condition) -> dict[Axis, int]:
    """Return the axes of inputs to change, with their new extents."""
    document = base.workload.document
    weight_axes = {(name, axis) for name in base.weights for axis in (0, 1)}
    wanted = dict.fromkeys(sorted(weight_axes), asked.features) if asked.features else {}
    if asked.batch:
        wanted |= {product.free: asked.batch for product in base.products}
    found: dict[Axis, int] = {}
    problems: dict[Problem, None] = {}
    for axis, extent in wanted.items():
        option = "--features" if axis in weight_axes else "--batch"
        members = base.links[axis]
        inputs = sorted(member for member in members if member[0] in base.workload.tensors)
        if not inputs:
            message = f"{option} cannot change dimension {axis[1]}: it is not that of an input"
            problems[document.problem(("ops", _writer(base.graph, axis[0])), f"{axis[0]}: {message}")] = None
        if option == "--batch" and members & weight_axes:
            names = join_words(sorted({name for name, _ in members & weight_axes}), "and")
            message = f"--batch cannot change the batch, which is also an extent of the weight {names}"
            problems[document.problem(("tensors", inputs[0][0], "shape"), message)] = None
            continue
        for member in inputs:
            if found.setdefault(member, extent) != extent:
                message = f"dimension {member[1]} is wanted as {found[member]} and as {extent}"
                problems[document.problem(("tensors", member[0], "shape"), message)] = None
    if problems:
        raise BadInputError(problems)
    return found


def _writer(graph: Graph, tensor: str) -> int:
    return next(position for position, op in enumerate(graph.ops) if tensor in op.outputs)


def _change_format(data: dict[str, Any], graph: Graph, dtype: str) -> None:
    """Give every tensor the format `dtype`; partial sums are no narrower than it.

    Of 8 bits are the inputs that products alone read, scaled by their largest value, and the rest is float16.
    """
    quarter = is_quarter(dtype)
    data["dtype"] = computed_format(dtype)
    for name, entry in data["tensors"].items():
        if entry.get("dtype") != WHOLE_NUMBERS:
            entry.pop("dtype", None)
            entry.pop("scale", None)
        if quarter and all(op.kind in PRODUCTS for op in graph.ops if name in op.inputs):
            entry |= {"dtype": dtype, "scale": AUTO}
    if quarter:
        data["ops"] = [{key: value for key, value in op.items() if key != "partials"} for op in data["ops"]]
    elif dtype != "float16":
        data["ops"] = [{**op, "partials": "float32"} if "partials" in op else op for op in data["ops"]]


def _with_cause(problems: Sequence[Problem], asked: Condition) -> list[Problem]:
    words = [("--features", asked.features), ("--batch", asked.batch), ("--dtype", asked.dtype)]
    cause = ", ".join(f"{option} {value}" for option, value in words if value)
    return [replace(problem, message=f"with {cause}: {problem.message}") if cause else problem for problem in problems]
