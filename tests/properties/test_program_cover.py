"""What a program has to do, done exactly once: homes, products, partial sums, results. Checked element by element."""

import numpy as np
import pytest
from handmade import Case, cases, lower_by_hand, problem_of
from hypothesis import given, settings

from ipusim.chip.load import load_chip
from ipusim.cost.reduction import planned_stages
from ipusim.ir.program import Repeat
from ipusim.lower.verify import verify_program
from ipusim.plan.dense_estimate import AMP_1X1, Split, Variant

# Reductions of 17, 22 and 131 matrices, whose stages have groups of different sizes.
ODD_DEPTHS = tuple(
    Case(
        load_chip("tiny", n_tiles=300, tile_sram_bytes="1 MiB"),
        problem_of(m, depth * 2 * s_inner, n, "float32", groups=groups),
        Variant(AMP_1X1, 2, 2, 2, swapped),
        Split(1, 1, depth, p_outer, s_inner, s_outer, 0),
    )
    for depth, m, n, groups, swapped, p_outer, s_inner, s_outer in (
        (17, 4, 3, 1, 1, 1, 1, 1),
        (17, 3, 5, 2, 0, 1, 3, 1),
        (22, 7, 9, 1, 1, 2, 1, 2),
        (22, 13, 11, 1, 0, 3, 1, 1),
        (131, 6, 5, 1, 1, 2, 1, 1),
        (131, 17, 16, 1, 1, 1, 2, 1),
    )
)
odd_depths = pytest.mark.parametrize("case", ODD_DEPTHS, ids=lambda case: f"{case.depth}-{case.problem.m}")


def elements(regions, index, shape):
    """Return the flat indices of a region's elements, in its order, without what lies past the variable's edge."""
    g0, g1, r0, r1, c0, c1 = (int(bound) for bound in regions.box[index])
    grid = np.stack(np.meshgrid(np.arange(g0, g1), np.arange(r0, r1), np.arange(c0, c1), indexing="ij"), axis=-1)
    run = grid.reshape(-1, 3)[int(regions.begin[index]) : int(regions.end[index])]
    inside = (run < np.asarray(shape)).all(axis=1)
    return np.ravel_multi_index(tuple(run[inside].T), shape)


def runs(program):
    """Yield every superstep in the order in which it runs, with its iteration (None outside of loops)."""
    for step in program.steps:
        if isinstance(step, Repeat):
            for iteration in range(step.count):
                yield from ((inner, iteration) for inner in step.body)
        else:
            yield step, None


def now(regions, iteration):
    """Return the regions that an operand stands for in one run of its superstep."""
    return list(regions.iterations()) if iteration is None else [regions.at(iteration)]


def writes(program, variable):
    """Return how often each element of a variable is written."""
    shape = program.variables[variable].shape
    count = np.zeros(int(np.prod(shape)), dtype=int)
    for step, iteration in runs(program):
        for vertices in step.compute:
            for operand in vertices.operands:
                if operand.variable == variable and operand.access != "in":
                    for regions in now(operand.regions, iteration):
                        for index in range(len(regions)):
                            count[elements(regions, index, shape)] += 1
    return count


def check_cover(case):
    program = case.program
    verify_program(program)
    _check_homes(program)
    _check_products(case, program)
    looped = {name for step in program.steps if isinstance(step, Repeat) for name in _written(step.body)}
    for name in set(program.variables) - {"w", "x"}:
        # In a loop over slices of the inner channels, each slice adds its part to all the elements.
        times = case.split.s_inner if name in looped else 1
        assert (writes(program, name) == times).all(), name


def _written(steps):
    operands = (operand for step in steps for vertices in step.compute for operand in vertices.operands)
    return {operand.variable for operand in operands if operand.access != "in"}


def _check_homes(program):
    for variable in program.variables.values():
        if variable.home is None:
            continue
        count = np.zeros(int(np.prod(variable.shape)), dtype=int)
        for regions in variable.home.regions.iterations():
            for index in range(len(regions)):
                count[elements(regions, index, variable.shape)] += 1
        assert (count == 1).all(), variable.name


def _check_products(case, program):
    """Check that every product of an element of W and one of X is formed by exactly one vertex."""
    problem = case.problem
    count = np.zeros((problem.groups, problem.m, problem.k, problem.n), dtype=int)
    for step, iteration in runs(program):
        for vertices in (found for found in step.compute if found.label == "amp"):
            left, right, out = (now(operand.regions, iteration)[0].box for operand in vertices.operands)
            for (g0, g1, m0, m1, k0, k1), (*_, k2, k3, n0, n1), partial in zip(left, right, out, strict=True):
                assert (k0, k1) == (k2, k3)
                assert (m0, m1, n0, n1) == tuple(partial[2:])
                count[g0:g1, m0:m1, k0:k1, n0:n1] += 1
    assert (count == 1).all()


@given(cases(most=20, most_inner=60))
@settings(max_examples=60, deadline=None)
def test_everything_is_done_exactly_once(case):
    check_cover(case)


@odd_depths
def test_reductions_of_odd_depth_cover_everything_once(case):
    assert planned_stages(case.depth) == (2 if case.depth < 125 else 3)
    check_cover(case)
    check_reductions(case)


@given(cases(most=16, most_inner=200))
@settings(max_examples=60, deadline=None)
def test_every_partial_sum_is_added_once_by_a_tile_that_has_it(case):
    check_reductions(case)


def check_reductions(case):
    """Follow the partial sums of one slice: who holds what, what arrives, what is added."""
    program = case.program
    owner, arrived = {}, {}
    for step, iteration in runs(program):
        if iteration not in (None, 0):
            continue
        for vertices in (found for found in step.compute if found.codelet == "reduce_add"):
            _check_stage(program, vertices, arrived, owner, iteration)
        for vertices in step.compute:
            _take(program, vertices, owner, iteration)
        arrived = _deliver(program, step, owner, iteration)


def _take(program, vertices, owner, iteration):
    """Note the tile that holds each element of what vertices leave behind."""
    for operand in vertices.operands:
        if operand.access == "in" or program.variables[operand.variable].kind != "partials":
            continue
        shape = program.variables[operand.variable].shape
        held = owner.setdefault(operand.variable, {})
        for regions in now(operand.regions, iteration):
            for index, tile in enumerate(vertices.tile):
                held.update(dict.fromkeys(elements(regions, index, shape).tolist(), int(tile)))


def _deliver(program, step, owner, iteration):
    """Return the elements of partial sums that arrive at each tile; each is sent by the tile that holds it."""
    arrived = {}
    for transfers in (found for found in step.exchange if found.label == "partials"):
        shape = program.variables[transfers.variable].shape
        regions = now(transfers.regions, iteration)[0]
        for index, source in enumerate(transfers.source):
            piece = elements(regions, index, shape).tolist()
            assert {owner[transfers.variable][element] for element in piece} <= {int(source)}
            group = transfers.group[index]
            for tile in transfers.group_tiles[transfers.group_indptr[group] : transfers.group_indptr[group + 1]]:
                assert tile != source
                target = arrived.setdefault((transfers.variable, int(tile)), [])
                target += piece
    assert all(len(found) == len(set(found)) for found in arrived.values())
    return arrived


def _check_stage(program, vertices, arrived, owner, iteration):
    source, target = vertices.operands
    shape = program.variables[source.variable].shape
    out_shape = program.variables[target.variable].shape
    groups, rows, cols = program.variables["y"].shape
    regions, outputs = now(source.regions, iteration)[0], now(target.regions, iteration)[0]
    added = np.zeros(int(np.prod(shape)), dtype=int)
    for index, tile in enumerate(vertices.tile):
        first, last = source.segments[index : index + 2]
        assert last - first == vertices.fields["depth"][index]
        wanted = elements(outputs, index, out_shape) % (groups * rows * cols)
        here = {element for element, holder in owner[source.variable].items() if holder == tile}
        here |= set(arrived.get((source.variable, int(tile)), ()))
        for part in range(first, last):
            piece = elements(regions, part, shape)
            assert (piece % (groups * rows * cols) == wanted).all()
            assert set(piece.tolist()) <= here
            added[piece] += 1
    formed = np.array(sorted(owner[source.variable]))
    assert (added[formed] == 1).all()
    assert added.sum() == len(formed) > 0


def test_a_program_without_a_split_needs_no_exchange():
    program = lower_by_hand(
        problem_of(4, 8, 4), load_chip("tiny"), Variant(AMP_1X1, 2, 4, 2, 1), Split(1, 1, 1, 1, 1, 1, 0)
    )
    (step,) = program.steps
    assert step.exchange == ()
    assert len(step.compute) == 1
