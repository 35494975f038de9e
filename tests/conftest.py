import os
from pathlib import Path

import pytest

# Nothing that a test computes comes from the user's own cache, or goes there.
os.environ.setdefault("IPUSIM_CACHE_DIR", str(Path(__file__).parents[1] / ".cache"))


def pytest_addoption(parser):
    parser.addoption("--update-golden", action="store_true", help="write what is printed now as what is expected")


@pytest.fixture
def update_golden(request):
    """Tell whether expected texts are to be rewritten instead of compared."""
    return request.config.getoption("--update-golden")
