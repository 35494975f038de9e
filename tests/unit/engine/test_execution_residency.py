"""The residency check: right programs pass, and every kind of mistake is found and located."""

from __future__ import annotations

import re
from dataclasses import replace

import numpy as np
import pytest
from execution_programs import (
    FROM_HOME,
    K,
    N,
    accumulating_program,
    bias_program,
    box,
    inputs,
    part,
    product_program,
    send,
    sliced_program,
    step,
    tiles,
    whole,
    with_steps,
)

from ipusim.engine.execution import execute_program
from ipusim.errors import ResidencyError
from ipusim.ir.program import Home, Program, Repeat, Superstep


def verify(program: Program) -> None:
    execute_program(program, inputs(program), verify=True)


def refused(program: Program, message: str) -> None:
    with pytest.raises(ResidencyError, match=re.escape(message)):
        verify(program)


def operand(superstep: Superstep, index: int, **changes: object) -> Superstep:
    """Return a superstep with one operand of its first vertices changed."""
    first = superstep.compute[0]
    operands = list(first.operands)
    operands[index] = replace(operands[index], **changes)
    return replace(superstep, compute=(replace(first, operands=tuple(operands)), *superstep.compute[1:]))


@pytest.mark.parametrize("build", [product_program, sliced_program, accumulating_program, bias_program])
def test_right_programs_pass(build):
    verify(build())


def test_an_operand_that_was_not_brought():
    program = product_program()
    refused(
        with_steps(program, operands=None),
        "multiply: vertex 1 (amp_1x1) on tile 1 reads x[0:1, 3:6, 0:5], which the tile does not hold",
    )


def test_an_operand_of_which_one_element_was_not_brought():
    program = product_program()
    low = send("x", tiles(0), part(box((K // 2, K), (0, N)), 0, 14), [1])
    refused(
        with_steps(program, operands=replace(step(program, "operands"), exchange=(low,))),
        "multiply: vertex 1 (amp_1x1) on tile 1 reads x[0:1, 5:6, 4:5], which the tile does not hold",
    )


def test_data_that_arrives_too_late():
    program = product_program()
    multiply, operands = step(program, "multiply"), step(program, "operands")
    late = replace(multiply, exchange=(*multiply.exchange, *operands.exchange))
    refused(with_steps(program, operands=None, multiply=late), "tile 1 reads x[0:1, 3:6, 0:5]")


def test_a_partial_sum_that_was_not_exchanged():
    program = product_program()
    multiply = step(program, "multiply")
    refused(
        with_steps(program, multiply=replace(multiply, exchange=multiply.exchange[:1])),
        "reduce: vertex 1 (reduce_add) on tile 1 reads p[0:1, 1:4, 0:5], which the tile does not hold",
    )


def test_a_sender_without_the_data():
    program = product_program()
    wrong = send("x", tiles(1), whole(box((0, K), (0, N))), [1])
    refused(
        with_steps(program, operands=replace(step(program, "operands"), exchange=(wrong,))),
        "operands: tile 1 sends x[0:1, 0:6, 0:5], which it does not hold",
    )


def test_forwarding_in_the_same_exchange():
    program = product_program()
    there = step(program, "operands").exchange[0]
    back = send("x", tiles(1), there.regions, [0])
    refused(
        with_steps(program, operands=replace(step(program, "operands"), exchange=(there, back))),
        "operands: tile 1 sends x[0:1, 3:6, 0:5], which it does not hold",
    )


def test_data_from_home_that_no_tile_has():
    program = product_program()
    early = Superstep("early", "dot", exchange=(send("p", tiles(FROM_HOME), part(box((0, 4), (0, N)), 3, 7), [1]),))
    refused(
        replace(program, steps=(early, *program.steps)),
        "early: p[0:1, 0:2, 0:5] is sent from home, but no tile holds it",
    )


def test_a_result_that_is_written_by_two_vertices():
    program = product_program()
    reduce = step(program, "reduce")
    regions = reduce.compute[0].operands[1].regions
    both = replace(regions, begin=np.array([0, 7]), end=np.array([8, 19]))
    refused(with_steps(program, reduce=operand(reduce, 1, regions=both)), "reduce: two vertices write s[0:1, 1:2, 2:3]")


def test_a_tensor_that_is_written_twice():
    program = product_program()
    again = replace(step(program, "relu"), name="again")
    refused(replace(program, steps=(*program.steps, again)), "again: y[0:1, 0:4, 0:5] is written a second time")


def test_a_copy_that_is_out_of_date():
    """Tile 1 has the first partial sums; after the second multiplication it would need to be sent the new ones."""
    program = product_program()
    multiply, reduce = step(program, "multiply"), step(program, "reduce")
    again = replace(multiply, name="again", exchange=multiply.exchange[:1])
    refused(
        with_steps(program, reduce=None, relu=None, multiply=multiply).__class__(
            program.name,
            program.n_tiles,
            program.variables,
            (step(program, "operands"), multiply, again, reduce),
            program.inputs,
            program.outputs,
        ),
        "reduce: vertex 1 (reduce_add) on tile 1 reads p[0:1, 1:4, 0:5], which the tile does not hold",
    )


def test_reading_what_is_written_in_the_same_superstep():
    program = product_program()
    relu = step(program, "relu")
    only = with_steps(program, operands=None, multiply=None, reduce=None)
    given = replace(only, inputs={**program.inputs, "s": "s"})
    source, target = relu.compute[0].operands
    other = replace(relu.compute[0], operands=(source, replace(source, access="inout")))
    verify(given)
    refused(
        with_steps(given, relu=replace(relu, compute=(replace(relu.compute[0], operands=(source, target)), other))),
        "relu: nonlinearity_1d reads s[0:1, 0:4, 0:5] while it is written",
    )


def test_an_output_that_is_incomplete():
    program = product_program()
    relu = step(program, "relu")
    source = relu.compute[0].operands[0]
    short = replace(source.regions, end=np.array([8, 19]))
    shorter = operand(operand(relu, 0, regions=short), 1, regions=short)
    refused(
        with_steps(program, relu=shorter),
        "end of the program: output y lacks y[0:1, 3:4, 4:5] on its home tile 1",
    )


def test_an_output_on_another_tile_than_its_home():
    program = product_program()
    away = Home(tiles(1, 0), program.variables["y"].home.regions)
    variables = {**program.variables, "y": replace(program.variables["y"], home=away)}
    refused(replace(program, variables=variables), "output y lacks y[0:1, 1:4, 0:5] on its home tile 0")


def test_a_slice_of_the_wrong_iteration():
    program = sliced_program()
    loop = program.steps[0]
    assert isinstance(loop, Repeat)
    multiply, store = loop.body
    still = replace(multiply.compute[0].operands[2].regions, step=(0, 0, 0))
    refused(
        replace(program, steps=(replace(loop, body=(operand(multiply, 2, regions=still), store)),)),
        "store: vertex 0 (cast_1d) on tile 0 reads p[0:1, 2:4, 0:5], which the tile does not hold",
    )


def test_sums_in_place_need_the_earlier_ones():
    """The second slice is added on another tile, which does not have what the first one left."""
    program = replace(accumulating_program(), n_tiles=2)
    loop = program.steps[0]
    assert isinstance(loop, Repeat)
    multiply, add = loop.body
    first = Repeat(1, (multiply, add))
    copy = send("p", tiles(0), whole(box((0, 4), (0, N))), [1])
    moved = replace(add, compute=(replace(add.compute[0], tile=tiles(1)),))
    elsewhere = Repeat(1, (replace(multiply, exchange=(copy,)), moved))
    refused(
        replace(program, steps=(first, elsewhere)),
        "accumulate: vertex 0 (binary_1d) on tile 1 reads y[0:1, 0:4, 0:5], which the tile does not hold",
    )
