import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck
from hypothesis import settings as hypothesis_settings

# Nothing that a test computes comes from the user's own cache, or goes there.
os.environ.setdefault("IPUSIM_CACHE_DIR", str(Path(__file__).parents[1] / ".cache"))

# The first example of a test may have to compile. Examples are the same in every run: a failure is the change's.
hypothesis_settings.register_profile(
    "suite", deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow]
)
hypothesis_settings.load_profile("suite")


def pytest_addoption(parser):
    parser.addoption("--update-golden", action="store_true", help="write what is printed now as what is expected")


@pytest.fixture
def update_golden(request):
    """Tell whether expected texts are to be rewritten instead of compared."""
    return request.config.getoption("--update-golden")
