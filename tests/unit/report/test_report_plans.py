import re

import pytest

from ipusim.report.plans import plan_line, render_plans


def _plan(cycles, tiles, runners_up=()):
    return {
        "strategy": "dense",
        "partition": {"p_groups": 1, "p_n": 4, "p_k": 2, "p_m": 1},
        "serial": {"s_k": 1, "s_m": 8},
        "vertex": "amp_1x1",
        "units": 16,
        "grain": {"inner": 16, "outer": 16},
        "swapped": True,
        "broadcast_before_loop": False,
        "partials": "float32",
        "tiles_used": tiles,
        "estimated_cycles": cycles,
        "estimated_terms": {"inputs": cycles - 100, "amp": 100},
        "temporary_bytes": 2048,
        "memory_bound_bytes": 8192,
        "relaxed": False,
        "runners_up": list(runners_up),
    }


def test_a_plan_in_one_line_leaves_out_what_is_one_and_false():
    assert plan_line(_plan(1000, 8)) == (
        "dense, p_n 4, p_k 2, s_m 8, amp_1x1, units 16, grain 16x16, swapped, partials float32"
    )


def test_a_line_of_a_plan_with_other_keys():
    assert (
        plan_line({"strategy": "rows", "workers": 6, "shape": [2, 3], "nothing": None}) == "rows, workers 6, shape 2x3"
    )
    assert plan_line({}) == ""
    assert plan_line({"strategy": "rows", "density": 0.022555555555555554}) == "rows, density 0.02256"


def test_table_has_the_chosen_plan_first_and_terms_of_all():
    text = render_plans([("y", _plan(1000, 8, [_plan(1200, 16)]))])
    assert re.search(r"^  1 +p_n 4, p_k 2; s_m 8; units 16, swapped +8 +2.00 KiB +1,000$", text, re.MULTILINE)
    assert re.search(r"^  2 .* 16 +2.00 KiB +1,200$", text, re.MULTILINE)
    assert re.search(r"^  inputs 90.0 % +900 +1,100$", text, re.MULTILINE)
    assert "memory bound 8.00 KiB (temporary data of a tile)" in text


def test_a_raised_memory_bound_is_said():
    assert "no plan met available_memory_proportion" in render_plans([("y", _plan(10, 1) | {"relaxed": True})])


def test_a_plan_without_estimate_is_one_line():
    assert render_plans([("z", {"strategy": "rows"})]) == "z  rows\n"


@pytest.mark.parametrize("width", [60, 80])
def test_the_table_keeps_to_the_width(width):
    plan = _plan(123456789, 1472, [_plan(123456789 + index, 1472) for index in range(4)])
    assert max(map(len, render_plans([("y", plan)], width).splitlines())) <= width
