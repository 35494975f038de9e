import numpy as np
import pytest

import ipusim
from ipusim.ir.regions import Regions
from ipusim.report.profile.collected import Places, _flattened
from ipusim.report.profile.exchange import exchange_matrix


def _workload(chip, scale=1):
    shapes = {"w": [16 * scale, 64], "x": [64, 24], "bias": [16 * scale, 1]}
    return {
        "name": "layer",
        "chip": chip,
        "tensors": {name: {"shape": shape} for name, shape in shapes.items()},
        "ops": [
            {"op": "matmul", "inputs": ["w", "x"], "output": "p"},
            {"op": "add", "inputs": ["p", "bias"], "output": "s"},
            {"op": "softmax", "inputs": ["s"], "output": "e"},
            {"op": "sum", "inputs": ["e"], "output": "y", "axes": [0]},
        ],
    }


def _elements(regions, shape):
    """Return the flat numbers of the elements of every region."""
    numbers = np.arange(np.prod(shape)).reshape(shape)
    for (g0, g1, r0, r1, c0, c1), begin, end in zip(regions.box, regions.begin, regions.end, strict=True):
        yield numbers[g0:g1, r0:r1, c0:c1].reshape(-1)[begin:end]


def _collected(program):
    """Yield every transfer from the home of a variable, with the shape that its pieces have."""
    shapes = {(each.storage, id(each.home.regions)): each.shape for each in program.variables.values() if each.home}
    for step, _ in program.supersteps():
        for transfers in step.exchange:
            variable = program.variables[transfers.variable]
            if (transfers.source < 0).any() and variable.home and not transfers.origins:
                yield transfers, variable, shapes.get((variable.storage, id(transfers.regions)), variable.shape)


@pytest.mark.parametrize(("chip", "scale", "size"), [("tiny", 1, 1), ("bow", 12, 46)])
def test_senders_are_where_the_elements_lie(chip, scale, size):
    program = ipusim.simulate(_workload(chip, scale), explain=False).compiled.program
    places, n_checked = Places(program, size), 0
    for transfers, variable, shape in _collected(program):
        holder = np.full(variable.n_elements, -1)
        for tile, elements in zip(variable.home.tile, _elements(variable.home.regions, variable.shape), strict=True):
            holder[elements] = tile // size
        n_groups = -(-program.n_tiles // size)
        expected = np.zeros((n_groups, n_groups))
        for tile, elements in zip(transfers.group_tiles, _elements(transfers.regions, shape), strict=True):
            np.add.at(expected, (holder[elements], tile // size), variable.element_bytes)
        found, by_proportion = places.matrix(transfers)
        assert by_proportion == 0
        assert found == pytest.approx(expected)
        n_checked += 1
    assert n_checked >= 2


def test_the_matrix_of_a_dense_program_is_exact():
    run = ipusim.simulate(_workload("bow", 12), explain=False)
    found = exchange_matrix(run.compiled.program)
    assert found["spread_bytes"] == 0
    assert np.sum(found["bytes"]) == pytest.approx(run.trace.bytes_exchanged(), rel=1e-3)


def test_what_a_program_only_counts_is_told_by_proportion():
    sparse = {"density": 0.25, "block_size": 4, "mode": "static"}
    document = {
        **{"name": "sparse", "chip": "tiny"},
        "tensors": {"w": {"shape": [32, 32], "sparsity": sparse}, "x": {"shape": [32, 8]}},
        "ops": [{"op": "matmul", "inputs": ["w", "x"], "output": "y"}],
    }
    run = ipusim.simulate(document, explain=False)
    found = exchange_matrix(run.compiled.program)
    assert found["spread_bytes"] > 0
    assert np.sum(found["bytes"]) == pytest.approx(run.trace.bytes_exchanged(), abs=16)


@pytest.mark.parametrize(
    "box",
    [[(0, 3, 0, 4, 0, 5)], [(1, 2, 0, 4, 0, 5), (0, 3, 0, 4, 0, 5)], [(0, 3, 1, 3, 0, 5)], [(0, 3, 0, 4, 1, 5)]],
)
def test_longer_lines_have_the_same_elements(box):
    box = np.array(box, dtype=np.int64)
    volume = np.prod(box[:, 1::2] - box[:, ::2], axis=1)
    regions = Regions(box, np.minimum(2, volume), volume - 1)
    flat, shape = _flattened(regions, (3, 4, 5))
    expected = [each.tolist() for each in _elements(regions, (3, 4, 5))]
    assert [each.tolist() for each in _elements(flat, shape)] == expected
