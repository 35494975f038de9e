"""Independent work of several ops in common supersteps."""

import numpy as np

from ipusim.chip.load import load_chip
from ipusim.engine.timing import time_program
from ipusim.ir.graph import Graph
from ipusim.ir.program import FROM_HOME, Operand, Program, Superstep, Transfers, VertexSet
from ipusim.ir.regions import whole_boxes
from ipusim.ir.tensor import Tensor
from ipusim.lower.builder import Builder
from ipusim.lower.homes import linear_home
from ipusim.lower.packing import pack_supersteps

TINY = load_chip("tiny")
SHAPE = (1, 4, 16)
CAST = {"input": "float32", "output": "float16"}


def program_of(names, steps):
    """Return a program of tensors that are inputs, but for those that some vertex writes."""
    tensors = {name: Tensor(name, SHAPE[1:], "float32") for name in names}
    builder = Builder(Graph("packed", tensors, (), ()), TINY)
    written = {each.variable for step in steps for v in step.compute for each in v.operands if each.access == "out"}
    for name in names:
        home = linear_home(SHAPE, 4, TINY.n_tiles)
        (builder.place_tensor if name in written else builder.create_input)(name, SHAPE, home)
    builder.steps.extend(steps)
    return builder.program()


def compute(op, source, target):
    """Return a superstep that copies one tensor into another."""
    boxes = whole_boxes(np.array([[0, 1, row, row + 1, 0, 16] for row in range(4)]))
    operands = (Operand(source, "in", boxes), Operand(target, "out", boxes))
    vertices = VertexSet("cast_1d", "cast", np.arange(4, dtype=np.int32), {"elements": np.full(4, 16)}, operands, CAST)
    return Superstep(f"{op}/compute", op, (vertices,))


def exchange(op, name):
    """Return a superstep that sends a tensor to all tiles."""
    box = whole_boxes(np.array([[0, 1, 0, 4, 0, 16]]))
    received = np.full(TINY.n_tiles, 192)
    transfers = Transfers(
        name,
        "operands",
        np.array([FROM_HOME], dtype=np.int32),
        box,
        np.zeros(1, dtype=np.int32),
        np.array([0, 4]),
        np.arange(4, dtype=np.int32),
        bytes_sent=np.full(TINY.n_tiles, 64),
        bytes_received=received,
    )
    return Superstep(f"{op}/operands", op, exchange=(transfers,))


def shown(program: Program):
    """Return of each superstep the ops of its vertices and of its transfers."""
    return [
        ([each.op or step.op for each in step.compute], [each.op or step.op for each in step.exchange])
        for step in program.steps
    ]


def test_independent_work_shares_supersteps_and_takes_no_longer():
    steps = [exchange("one", "a"), compute("one", "a", "p"), exchange("two", "b"), compute("two", "b", "q")]
    program = program_of(("a", "b", "p", "q"), steps)
    packed = pack_supersteps(program)
    assert shown(packed) == [([], ["one", "two"]), (["one", "two"], [])]
    assert [step.ops for step in packed.steps] == [("two", "one"), ("two", "one")]
    assert packed.steps[1].guests == ("two",)


def test_what_depends_on_a_result_comes_after_it():
    steps = [compute("one", "a", "p"), exchange("two", "p"), compute("two", "p", "q"), compute("three", "q", "r")]
    packed = pack_supersteps(program_of(("a", "p", "q", "r"), steps))
    assert shown(packed) == [(["one"], ["two"]), (["two"], []), (["three"], [])]


def test_an_exchange_joins_the_latest_that_is_early_enough():
    steps = [
        exchange("one", "a"),
        compute("one", "a", "p"),
        exchange("two", "p"),
        compute("two", "p", "q"),
        exchange("three", "b"),
        compute("three", "b", "r"),
    ]
    packed = pack_supersteps(program_of(("a", "b", "p", "q", "r"), steps))
    assert shown(packed) == [([], ["one"]), (["one"], ["two", "three"]), (["two", "three"], [])]


def test_ops_that_stay_apart_share_nothing():
    steps = [exchange("one", "a"), compute("one", "a", "p"), exchange("two", "b"), compute("two", "b", "q")]
    program = program_of(("a", "b", "p", "q"), steps)
    packed = pack_supersteps(program, frozenset(("one",)))
    assert packed.steps[:2] == program.steps[:2]
    assert [step.guests for step in packed.steps] == [()] * len(packed.steps)


def test_packing_saves_a_barrier():
    steps = [exchange("one", "a"), compute("one", "a", "p"), exchange("two", "b"), compute("two", "b", "q")]
    program = program_of(("a", "b", "p", "q"), steps)
    saved = time_program(program, TINY).cycles - time_program(pack_supersteps(program), TINY).cycles
    assert saved >= TINY.sync_cycles
