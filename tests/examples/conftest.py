import pytest
from browser import ABSENT, CHROMIUM, DRIVER, Browser


@pytest.fixture(scope="session")
def browser(tmp_path_factory):
    """One browser for all the tests of pages."""
    if CHROMIUM is None or DRIVER is None:
        pytest.skip(ABSENT)
    opened = Browser(tmp_path_factory.mktemp("profile"))
    yield opened
    opened.close()
