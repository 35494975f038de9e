from itertools import product

import pytest

from ipusim.comparison.options import parse_options
from ipusim.comparison.points import Condition, Point
from ipusim.comparison.space import build_space
from ipusim.errors import BadInputError


def test_the_default_sweep(base_of, document):
    space = build_space(base_of(document), parse_options())
    condition = Condition(None, 16, "float16")
    places = product(("static", "dynamic"), (1, 4, 8, 16), (1 / 4, 1 / 8, 1 / 16, 1 / 32))
    assert space.points == (Point(condition), *(Point(condition, *place) for place in places))
    assert list(space.workloads) == [condition]
    assert space.notes == ()


def test_conditions_are_every_combination(base_of, document):
    options = parse_options("1/2", "4", "static", "8,16", "float32,float16", "32,64")
    space = build_space(base_of(document), options)
    conditions = [Condition(*each) for each in product((32, 64), (8, 16), ("float32", "float16"))]
    assert list(space.workloads) == conditions
    assert len(space.points) == len(set(space.points)) == 16
    assert space.points[:8] == tuple(Point(condition) for condition in conditions)


def test_default_block_sizes_that_do_not_divide_are_left_out(base_of, document):
    document["tensors"]["w"]["shape"] = [12, 32]
    space = build_space(base_of(document), parse_options())
    assert {point.block_size for point in space.points} == {1, 4}
    assert space.notes == (
        "Block size 8 does not divide w [12, 32], and is left out.",
        "Block size 16 does not divide w [12, 32], and is left out.",
    )


def test_block_sizes_asked_for_have_to_divide(base_of, document):
    with pytest.raises(BadInputError) as caught:
        build_space(base_of(document), parse_options(block_sizes="4,5,7"))
    assert [problem.message for problem in caught.value.problems] == [
        "5 does not divide w [64, 32]",
        "7 does not divide w [64, 32]",
    ]


def test_block_sizes_have_to_divide_all_features(base_of, document):
    with pytest.raises(BadInputError, match=r"8 does not divide w \[36, 36\]"):
        build_space(base_of(document), parse_options(block_sizes="4,8", features="32,36"))


def test_a_pattern_with_its_own_density(base_of, document):
    document["tensors"]["w"]["sparsity"] = {"pattern": {"n_m": {"n": 2, "m": 4}}}
    base = base_of(document)
    space = build_space(base, parse_options(block_sizes="1,4", modes="static"))
    assert space.own_density
    assert [point.density for point in space.points] == [1.0, 0.5, 0.5]
    with pytest.raises(BadInputError, match="--density: the pattern of w brings its density with it"):
        build_space(base, parse_options(densities="1/4"))


def test_problems_of_all_conditions_at_once(tmp_path, base_of):
    import numpy as np

    np.save(tmp_path / "x.npy", np.zeros((32, 16), np.float32))
    path = tmp_path / "file.yaml"
    path.write_text(
        "name: file\n"
        "tensors:\n"
        "  w: {shape: [64, 32]}\n"
        "  x: {shape: [32, 16], init: {file: x.npy}}\n"
        "ops: [{op: matmul, inputs: [w, x], output: y}]\n"
    )
    with pytest.raises(BadInputError) as caught:
        build_space(base_of(path), parse_options(batches="4,8,16", block_sizes="3"))
    assert [problem.file for problem in caught.value.problems] == [str(path), str(path), "--block-size"]
