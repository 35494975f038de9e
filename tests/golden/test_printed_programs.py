"""Listings of whole programs, word for word. ``pytest tests/golden --update-golden`` rewrites them."""

from pathlib import Path

import pytest

from ipusim.lower.printer import print_program
from ipusim.pipeline.compiling import compile_workload

PROGRAMS = ("dense/tiny", "quickstart", "dense/mlp", "dense/matmul-4096-float16")


@pytest.mark.parametrize("workload", PROGRAMS)
def test_the_program_is_the_one_on_file(workload, update_golden):
    listing = f"{print_program(compile_workload(workload).program).rstrip()}\n"
    path = Path(__file__).with_name(f"{workload.rpartition('/')[2]}.program.txt")
    if update_golden:
        path.write_text(listing)
    assert listing == path.read_text()


@pytest.mark.parametrize("workload", PROGRAMS)
def test_lines_of_a_listing_are_bounded(workload):
    listing = print_program(compile_workload(workload).program)
    assert len(listing.splitlines()) < 80
    assert max(map(len, listing.splitlines())) < 200
