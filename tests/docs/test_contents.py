"""Links lead somewhere, pictures are there and small, and what is said of the package holds."""

import re

import pytest
import yaml
from snippets import PAGES, ROOT

import ipusim
from ipusim.cli.main import COMMANDS
from ipusim.report.validation_words import DOCUMENTED_ERRORS

_IMAGES = sorted((ROOT / "docs" / "gallery").glob("*.png"))


def _anchors(page):
    """Return the anchors of the headings of a page, as GitHub makes them."""
    headings = re.findall(r"^#+ (.*)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page):
    for link in re.findall(r"\]\(([^)\s]+)\)", page.read_text(encoding="utf-8")):
        if link.startswith("https://"):
            continue
        target, _, anchor = link.partition("#")
        file = (page.parent / target).resolve() if target else page
        assert file.exists(), link
        assert not anchor or anchor in _anchors(file), link


def test_the_table_names_every_command():
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    assert not {name for name in COMMANDS if f"`ipusim {name}" not in readme}


def test_the_readme_leads_to_every_page():
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    assert not {page.name for page in (ROOT / "docs").glob("*.md") if f"(docs/{page.name})" not in readme}


def test_every_picture_is_shown_and_all_are_small():
    shown = "".join(page.read_text(encoding="utf-8") for page in PAGES)
    assert _IMAGES
    assert not {image.name for image in _IMAGES if f"gallery/{image.name})" not in shown}
    assert sum(image.stat().st_size for image in _IMAGES) < 1_000_000


def test_the_citation_is_of_this_version():
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    assert citation["version"] == ipusim.__version__
    assert citation["license"] == "MIT"


def test_the_errors_of_the_model_are_those_that_the_reports_name():
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    rows = re.findall(r"^  \| `\w+` \| (.*) \| (\d+) \| (.*) \| (.*) \| (.*) \|$", text, re.MULTILINE)
    found = tuple((what, points, f"mean {mean}, worst {worst}") for what, points, _, mean, worst in rows)
    assert found == DOCUMENTED_ERRORS
