import numpy as np
import pytest

import ipusim
from ipusim.report.terminal import render_run
from ipusim.report.tile_map import shaded_map, sparkline, tile_parts


def test_shades_are_shares_of_the_largest():
    column, row = np.array([0, 1, 2, 3, 4]), np.zeros(5, dtype=int)
    assert shaded_map(np.array([0, 1, 50, 75, 100]), column, row) == [" ░▒▓█"]


def test_many_tiles_share_a_character():
    tile = np.arange(1472)
    lines = shaded_map(np.where(tile < 736, 10, 0), tile // 23, tile % 23)
    assert lines == ["█" * 32 + " " * 32] * 6
    assert len(shaded_map(tile, tile, tile)[0]) <= 64


@pytest.mark.parametrize(
    ("values", "line"), [([0, 4, 8], "▁▅█"), ([5], "█"), ([], ""), ([0, 0], "▁▁"), ([8, 0, 0, 0, 0, 4], "█▁▅")]
)
def test_sparklines_start_at_zero_and_keep_the_largest(values, line):
    assert sparkline(values, 3) == line


def test_a_run_shows_its_tiles_in_eighty_columns():
    document = ipusim.simulate("dense/tiny", explain=False).to_dict(profile=True)
    text = render_run(document)
    assert "Compute cycles  of each tile on the chip; █ up to 593" in text
    assert "\n  ████\n" in text
    assert max(map(len, text.splitlines())) <= 80
    assert tile_parts(document["profile"])
