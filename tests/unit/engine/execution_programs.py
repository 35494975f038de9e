"""Small programs, put together by hand, for the tests of the execution."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from ipusim.ir.expression import ELEMENT_BY_ELEMENT, Expression, Node, broadcast_pattern
from ipusim.ir.program import FROM_HOME, Home, Operand, Program, Repeat, Superstep, Transfers, Variable, VertexSet
from ipusim.ir.regions import Regions, whole_boxes

M, K, N = 4, 6, 5


def tiles(*numbers: int) -> np.ndarray:
    return np.array(numbers, dtype=np.int32)


def box(rows: tuple[int, int], cols: tuple[int, int], group: int = 0) -> list[int]:
    return [group, group + 1, *rows, *cols]


def whole(*found: list[int]) -> Regions:
    return whole_boxes(np.array(found))


def part(found: list[int], begin: int, end: int) -> Regions:
    return Regions(np.array([found]), np.array([begin]), np.array([end]))


def variable(name: str, shape: tuple[int, int, int], kind: str, home: Home | None, storage: str = "") -> Variable:
    return Variable(name, shape, "float32", kind, storage or name, 4, home)


def send(name: str, source: np.ndarray, regions: Regions, *groups: list[int]) -> Transfers:
    return Transfers(
        name,
        "test",
        source,
        regions,
        np.arange(len(groups), dtype=np.int32),
        np.cumsum([0, *map(len, groups)]),
        tiles(*[tile for group in groups for tile in group]),
    )


def vertices(codelet: str, where: np.ndarray, *operands: Operand, **settings: object) -> VertexSet:
    return VertexSet(codelet, codelet, where, {}, operands, settings)


def product_program() -> Program:
    """``y = relu(w @ x)`` on two tiles that share out the depth, with `w` split over both and `x` on tile 0."""
    low, high = (0, K // 2), (K // 2, K)
    block = box((0, M), (0, N))
    halves = ([0, 8], [8, M * N])
    home = Home(tiles(0, 1), Regions(np.array([block, block]), np.array([0, 8]), np.array([8, M * N])))
    variables = {
        "w": variable("w", (1, M, K), "tensor", Home(tiles(0, 1), whole(box((0, M), low), box((0, M), high)))),
        "x": variable("x", (1, K, N), "tensor", Home(tiles(0), whole(box((0, K), (0, N))))),
        "p": variable("p", (2, M, N), "partials", None),
        "s": variable("s", (1, M, N), "tensor", home),
        "y": variable("y", (1, M, N), "tensor", home),
    }
    operands = Superstep("operands", "dot", exchange=(send("x", tiles(0), whole(box(high, (0, N))), [1]),))
    multiply = vertices(
        "amp_1x1",
        tiles(0, 1),
        Operand("w", "in", whole(box((0, M), low), box((0, M), high))),
        Operand("x", "in", whole(box(low, (0, N)), box(high, (0, N)))),
        Operand("p", "out", whole(block, [1, 2, *block[2:]])),
        partials="float32",
        in_channels=8,
    )
    upper = [1, 2, *block[2:]]
    crossing = (
        send("p", tiles(1), part(upper, *halves[0]), [0]),
        send("p", tiles(0), part(block, *halves[1]), [1]),
    )
    sources = Regions(np.array([block, upper, block, upper]), np.array([0, 0, 8, 8]), np.array([8, 8, M * N, M * N]))
    reduce = vertices(
        "reduce_add",
        tiles(0, 1),
        Operand("p", "in", sources, np.array([0, 2, 4])),
        Operand("s", "out", home.regions),
    )
    relu = vertices(
        "nonlinearity_1d", tiles(0, 1), Operand("s", "in", home.regions), Operand("y", "out", home.regions), op="relu"
    )
    relu = replace(relu, payload=Expression((Node("relu", (0,), 1),), (ELEMENT_BY_ELEMENT,) * 2))
    steps = (
        operands,
        Superstep("multiply", "dot", (multiply,), crossing),
        Superstep("reduce", "dot", (reduce,)),
        Superstep("relu", "act", (relu,)),
    )
    return Program("product", 2, variables, steps, {"w": "w", "x": "x"}, {"y": "y"})


def sliced_program(slices: int = 3, rows: int = 2) -> Program:
    """``y = w @ x``, a slice of rows of `w` at a time, the partial sums of all slices in one place after another.

    Partial sums are copied into the result; the last slice stands over the edge of `w`.
    """
    extent = slices * rows - 1
    step = (0, rows, 0)
    moving = whole_boxes(np.array([box((0, rows), (0, K))]), step, slices)
    result = whole_boxes(np.array([box((0, rows), (0, N))]), step, slices)
    still = whole(box((0, K), (0, N)))
    variables = {
        "w": variable("w", (1, extent, K), "tensor", Home(tiles(0), moving)),
        "x": variable("x", (1, K, N), "tensor", Home(tiles(0), still)),
        "p": variable("p", (1, extent, N), "partials", None),
        "y": variable("y", (1, extent, N), "tensor", Home(tiles(0), result)),
    }
    multiply = vertices(
        "amp_1x1",
        tiles(0),
        Operand("w", "in", moving),
        Operand("x", "in", still),
        Operand("p", "out", result),
        partials="float32",
        in_channels=8,
    )
    store = vertices("cast_1d", tiles(0), Operand("p", "in", result), Operand("y", "out", result))
    body = (Superstep("multiply", "dot", (multiply,)), Superstep("store", "dot", (store,)))
    return Program("sliced", 1, variables, (Repeat(slices, body),), {"w": "w", "x": "x"}, {"y": "y"})


def accumulating_program(slices: int = 3) -> Program:
    """``y = w @ x`` with the depth in slices: the products of all slices are added to the result, in place."""
    size = K // slices
    left = whole_boxes(np.array([box((0, M), (0, size))]), (0, 0, size), slices)
    right = whole_boxes(np.array([box((0, size), (0, N))]), (0, size, 0), slices)
    still = whole(box((0, M), (0, N)))
    variables = {
        "w": variable("w", (1, M, K), "tensor", Home(tiles(0), left)),
        "x": variable("x", (1, K, N), "tensor", Home(tiles(0), right)),
        "p": variable("p", (1, M, N), "partials", None),
        "y": variable("y", (1, M, N), "tensor", Home(tiles(0), still)),
    }
    multiply = vertices(
        "amp_1x1",
        tiles(0),
        Operand("w", "in", left),
        Operand("x", "in", right),
        Operand("p", "out", still),
        partials="float32",
        in_channels=8,
    )
    add = vertices(
        "binary_1d", tiles(0), Operand("p", "in", still), Operand("y", "inout", still), op="add", in_place=True
    )
    body = (Superstep("multiply", "dot", (multiply,)), Superstep("accumulate", "dot", (add,)))
    return Program("accumulating", 1, variables, (Repeat(slices, body),), {"w": "w", "x": "x"}, {"y": "y"})


def bias_program() -> Program:
    """``y = x + b`` with a bias row, the rows of `x` on two tiles and the bias brought from its home."""
    halves = whole(box((0, 2), (0, N)), box((2, M), (0, N)))
    row = box((0, 1), (0, N))
    home = Home(tiles(0, 1), halves)
    variables = {
        "x": variable("x", (1, M, N), "tensor", home),
        "b": variable("b", (1, 1, N), "tensor", Home(tiles(2), whole(row))),
        "y": variable("y", (1, M, N), "tensor", home),
    }
    bring = send("b", tiles(FROM_HOME, FROM_HOME), whole(row, row), [0], [1])
    add = vertices(
        "broadcast_vector_outer",
        tiles(0, 1),
        Operand("x", "in", halves),
        Operand("b", "in", whole(row, row)),
        Operand("y", "out", halves),
        op="add",
    )
    patterns = (ELEMENT_BY_ELEMENT, broadcast_pattern((1, N), (M, N)), ELEMENT_BY_ELEMENT)
    add = replace(add, payload=Expression((Node("add", (0, 1), 2),), patterns))
    steps = (Superstep("operands", "sum", exchange=(bring,)), Superstep("compute", "sum", (add,)))
    return Program("bias", 3, variables, steps, {"x": "x", "b": "b"}, {"y": "y"})


def with_steps(program: Program, **changed: Superstep | None) -> Program:
    """Return a program with some supersteps replaced by name (spaces as underscores), or left out."""
    steps = []
    for step in program.steps:
        assert isinstance(step, Superstep)
        found = changed.get(step.name, step)
        if found is not None:
            steps.append(found)
    return replace(program, steps=tuple(steps))


def step(program: Program, name: str) -> Superstep:
    return next(superstep for superstep, _ in program.supersteps() if superstep.name == name)


def inputs(program: Program, seed: int = 0) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(seed)
    return {
        tensor: rng.integers(-8, 9, program.variables[name].shape).astype(np.float32)
        for tensor, name in program.inputs.items()
    }
