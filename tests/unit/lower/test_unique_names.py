"""Names of variables are unique: with the least number that is free, however often a name is asked for."""

from hypothesis import given
from hypothesis import strategies as st

from ipusim.chip.load import load_chip
from ipusim.ir.graph import Graph
from ipusim.ir.tensor import Tensor
from ipusim.lower.builder import Builder

TINY = load_chip("tiny")
NAMES = ("w", "w#2", "w#3", "y", "y#2")


def least_free(name, taken):
    """Return a name, or the name with the least number from 2 on, that is not taken."""
    number = 1
    while (unique := name if number == 1 else f"{name}#{number}") in taken:
        number += 1
    return unique


@given(st.lists(st.tuples(st.sampled_from(NAMES), st.booleans()), max_size=40), st.sets(st.sampled_from(NAMES)))
def test_every_name_has_the_least_free_number(wanted, tensors):
    graph = Graph("named", {name: Tensor(name, (4,), "float32") for name in sorted(tensors)}, (), ())
    builder = Builder(graph, TINY)
    for name, of_tensor in wanted:
        # what belongs to no tensor of the graph does not take the name of one
        taken = set(builder.variables) | (set() if of_tensor else tensors)
        expected = least_free(name, taken)
        found = builder.add_variable(name, (1, 1, 4), "float32", "partials", None, "w" if of_tensor else "")
        assert found.name == expected
