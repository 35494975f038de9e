import pytest

from ipusim.comparison.base import load_base
from ipusim.frontends.workload import load_workload


@pytest.fixture
def document():
    """Return one product, W X, as a workload document."""
    return {
        "name": "one",
        "tensors": {"w": {"shape": [64, 32]}, "x": {"shape": [32, 16]}},
        "ops": [{"op": "matmul", "inputs": ["w", "x"], "output": "y"}],
    }


@pytest.fixture
def base_of():
    """Return a function from a document (or the name of a packaged workload) to the base of a sweep."""
    return lambda source, patterns=(): load_base(load_workload(source), patterns)
