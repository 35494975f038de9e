import re

import numpy as np
import pytest

from ipusim.engine.memory import Allocation, MemoryMap
from ipusim.report.memory import render_memory, sparkline


def _memory(capacity=16384, n_small=0):
    tiles = np.array([4096, 12288, 0, 0], dtype=np.int64)
    items = [
        Allocation("w", "tensors", 0, 3, tiles),
        Allocation("x", "operands", 1, 2, np.array([0, 1024, 0, 0], dtype=np.int64)),
        *(Allocation(f"s{index}", "partials", 1, 1, np.full(4, 8, dtype=np.int64)) for index in range(n_small)),
        Allocation("", "exchange_code", 0, 4, np.full(4, 64, dtype=np.int64)),
    ]
    peak = sum(item.bytes_on_tile for item in items)
    return MemoryMap(capacity, tuple(items), peak, np.array([1, 1, 1, 1], dtype=np.int64))


def test_fullest_tile_and_what_it_holds():
    text = render_memory(_memory())
    assert text.startswith("Fullest tile  at superstep 2\n")
    assert re.search(r"^  tile 1 .* 81.6 % +13.1 KiB of 16.0 KiB$", text, re.MULTILINE)
    assert re.search(r"^  w +tensors +12.0 KiB +91.9 % +1 to 4$", text, re.MULTILINE)
    assert re.search(r"^  x +operands +1.00 KiB +7.7 % +2 to 3$", text, re.MULTILINE)
    assert re.search(r"^  - +exchange_code +64 B +0.5 % +always$", text, re.MULTILINE)
    assert "does not fit" not in text


def test_every_tile_is_in_the_histogram():
    counts = re.findall(r" ([\d,]+) tiles$", render_memory(_memory()), re.MULTILINE)
    assert [int(count) for count in counts] == [2, 0, 1, 0, 0, 0, 0, 1]


def test_too_much_is_said():
    assert "does not fit: 5.06 KiB too much" in render_memory(_memory(capacity=8192))


def test_many_small_things_are_summed_up():
    assert re.search(r"^  14 more +112 B +0.8 %$", render_memory(_memory(n_small=27)), re.MULTILINE)


@pytest.mark.parametrize("width", [60, 80])
def test_keeps_to_the_width(width):
    assert max(map(len, render_memory(_memory(), width).splitlines())) <= width


def test_memory_over_the_program_and_what_is_always_there():
    memory = _memory()
    # Supersteps 1 to 4: w always, x in the second and third; 64 B of code.
    assert memory.held(1).tolist() == [12352, 13376, 13376, 12352]
    assert memory.always_live.tolist() == [4160, 12352, 64, 64]
    text = render_memory(memory)
    assert "4 supersteps; always there: 12.1 KiB" in text
    assert re.search(r"^  1 +13.1 KiB +2 +12.1 KiB +w \(12.0 KiB\)$", text, re.MULTILINE)


def test_a_line_of_blocks_shows_the_highest_of_each_span():
    assert sparkline(np.array([0, 1, 50, 100, 200]), 100) == " ▁▄██"
    assert sparkline(np.array([0, 100, 0, 0]), 100, width=2) == "█ "
