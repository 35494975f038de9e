"""Every rule of the verifier, broken one at a time."""

from dataclasses import replace

import numpy as np
import pytest
from handmade import lower_by_hand, problem_of

from ipusim.chip.load import load_chip
from ipusim.errors import VerifierError
from ipusim.ir.program import Home, Repeat, Superstep
from ipusim.ir.regions import Regions
from ipusim.lower.verify import verify_program
from ipusim.plan.dense_estimate import AMP_1X1, Split, Variant

TINY = load_chip("tiny")
PROGRAM = lower_by_hand(problem_of(8, 16, 8), TINY, Variant(AMP_1X1, 2, 4, 2, 1), Split(1, 2, 2, 1, 1, 1, 0))
OPERANDS, MULTIPLY, REDUCE = PROGRAM.steps


def _with_step(index, step):
    steps = list(PROGRAM.steps)
    steps[index] = step
    return replace(PROGRAM, steps=tuple(steps))


def _with_vertices(**fields):
    return _with_step(1, replace(MULTIPLY, compute=(replace(MULTIPLY.compute[0], **fields),)))


def _with_transfers(**fields):
    return _with_step(0, replace(OPERANDS, exchange=(replace(OPERANDS.exchange[0], **fields),)))


def _with_home(name, home):
    return replace(PROGRAM, variables={**PROGRAM.variables, name: replace(PROGRAM.variables[name], home=home)})


def _moved(regions, **fields):
    return replace(regions, **{name: getattr(regions, name) + change for name, change in fields.items()})


W_HOME = PROGRAM.variables["w"].home
VERTICES = MULTIPLY.compute[0]
TRANSFERS = OPERANDS.exchange[0]
EMPTY = np.zeros(0, dtype=np.int64)
BROKEN = {
    "y/operands: neither computes nor exchanges": _with_step(0, Superstep("y/operands", "y")),
    "y/operands: repeated 0 times": replace(PROGRAM, steps=(Repeat(0, (OPERANDS,)),)),
    "tensor y stands for variable z, which is not declared": replace(PROGRAM, outputs={"y": "z"}),
    "tensor w stands for variable v, which is not declared": replace(PROGRAM, inputs={"w": "v"}),
    "y/multiply: amp_1x1: a tile outside 0..3": _with_vertices(tile=VERTICES.tile + 1),
    "y/multiply: amp_1x1 lacks the fields in_groups, out_groups": _with_vertices(
        fields={name: VERTICES.fields[name] for name in ("rows", "conv_groups")}
    ),
    "y/multiply: field rows of amp_1x1 is not one count for each vertex": _with_vertices(
        fields={**VERTICES.fields, "rows": VERTICES.fields["rows"][:-1]}
    ),
    "y/multiply: field conv_groups of amp_1x1 is not one count": _with_vertices(
        fields={**VERTICES.fields, "conv_groups": VERTICES.fields["conv_groups"] - 2}
    ),
    "y/multiply: amp_1x1 uses u, which is not declared": _with_vertices(
        operands=(replace(VERTICES.operands[0], variable="u"),)
    ),
    "y/multiply: w: 3 regions where 4 are needed": _with_vertices(
        operands=(replace(VERTICES.operands[0], regions=VERTICES.operands[0].regions.take(np.arange(3))),)
    ),
    "y/multiply: w: a region outside its box": _with_vertices(
        operands=(replace(VERTICES.operands[0], regions=_moved(VERTICES.operands[0].regions, end=1)),)
    ),
    "y/operands: sends v, which is not declared": _with_transfers(variable="v"),
    "y/operands: receivers of w: a tile outside 0..3": _with_transfers(group_tiles=TRANSFERS.group_tiles + 1),
    "y/operands: w is sent from a tile that does not exist": _with_transfers(source=TRANSFERS.source + 4),
    "y/operands: w: 3 regions where 4 are needed": _with_transfers(regions=TRANSFERS.regions.take(np.arange(3))),
    "y/operands: w is sent to a group that does not exist": _with_transfers(group=TRANSFERS.group + 2),
    "home of w: a tile outside 0..3": _with_home("w", Home(W_HOME.tile - 1, W_HOME.regions)),
    "home of w covers 96 of 128 elements": _with_home(
        "w", Home(W_HOME.tile[:3], W_HOME.regions.take(np.arange(3)))
    ),
    "home of w covers 124 of 128 elements": _with_home(
        "w", Home(W_HOME.tile, Regions(W_HOME.regions.box, W_HOME.regions.begin + 1, W_HOME.regions.end))
    ),
    "home of w steps along 2 axes": _with_home(
        "w", Home(W_HOME.tile, replace(W_HOME.regions, step=(0, 4, 8), count=2))
    ),
    "home of w covers 256 of 128 elements": _with_home("w", Home(W_HOME.tile, replace(W_HOME.regions, count=2))),
}  # fmt: skip


def test_a_program_that_keeps_the_rules_passes():
    verify_program(PROGRAM)


@pytest.mark.parametrize("message", BROKEN)
def test_a_broken_rule_is_named(message):
    with pytest.raises(VerifierError) as caught:
        verify_program(BROKEN[message])
    assert message in str(caught.value)
