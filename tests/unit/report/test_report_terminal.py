import re

import pytest

from ipusim.report.terminal import render_run


def test_says_what_ran_on_what_and_how_fast(result):
    text = render_run(result)
    assert text.startswith("quickstart on bow  1,440 tiles used, seed 0\n")
    for part in ("66,304", "35.8 us", "240 TFLOP/s", "68.8 % of the peak of 349 TFLOP/s", "14 supersteps"):
        assert part in text


def test_phases_have_shares_that_add_up(result):
    shares = re.findall(r"^  (?:compute|exchange|sync) .* ([\d.]+) %", render_run(result), re.MULTILINE)
    assert [float(share) for share in shares] == [70.9, 27.5, 1.6]


def test_operator_rows_plans_and_largest_terms(result):
    text = render_run(result)
    assert re.search(r"y +matmul +64,000 +96.5 % +248 TFLOP/s +118 MiB +10.0 %", text)
    assert re.search(r"^  y +plan +dense, p_m 23, p_k 4, p_n 16, amp_1x1, grain 16x16$", text, re.MULTILINE)
    assert re.search(r"^ +cycles  amp 62.5 %, inputs 18.8 %, reduce 7.8 %, sync 1.4 %$", text, re.MULTILINE)
    assert re.search(r"^  z +cycles  add 100.0 %$", text, re.MULTILINE)


def test_memory_names_the_fullest_tile_and_the_largest_category_first(result):
    text = render_run(result)
    assert re.search(r"tile 17 .* 66.0 % +412 KiB of 624 KiB", text)
    assert "tensors 293 KiB, partials 97.7 KiB, code 21.4 KiB\n" in text
    assert "host" not in text.split("Memory")[1].split("Check")[0]


@pytest.mark.parametrize(("passed", "word"), [(True, "passed"), (False, "FAILED")])
def test_check_with_tolerance(result, passed, word):
    result["check"]["passed"] = passed
    text = " ".join(render_run(result).split())
    assert f"Check {word}: every operator against its float64 reference. " in text
    assert "Largest error 0.00031 of the largest value (y), tolerance 0.0078; 0.012 absolute." in text


def test_check_says_how_much_was_checked(result):
    result["check"]["checked_fraction"] = 0.25
    assert "on 25.0 % of the values" in render_run(result)


def test_not_executed_is_said(result):
    result["check"] = {"executed": False, "passed": None, "max_abs_error": None, "max_rel_error": None}
    assert "not executed" in render_run(result)


def test_insight_is_a_sentence_with_the_greatest_gain_first(result):
    text = " ".join(render_run(result).split())
    assert (
        "With exchange for free it would take 31.0 % fewer cycles; with twice the SRAM, 4.0 % fewer; "
        "with twice the workers, as many." in text
    )


def test_limits_are_stated(result):
    text = render_run(result)
    assert "Not modelled: host transfers." in text
    assert "rests on 7 assumed constants" in text


def test_infeasible_shows_demand_capacity_gap_terms_and_levers(infeasible):
    text = render_run(infeasible)
    assert "DOES NOT FIT: tile memory" in text
    assert re.search(r"demand +1.20 MiB +on tile 17", text)
    assert re.search(r"capacity +624 KiB", text)
    assert re.search(r"gap +605 KiB +1.97 times", text)
    assert text.index("tensors   977 KiB") < text.index("partials  252 KiB")
    assert "- a chip with at least 2,900 tiles\n" in text
    assert "Operators" not in text


def test_formats_that_the_chip_lacks_have_no_bytes(infeasible):
    infeasible["infeasible"] |= {"constraint": "no such AMP mode", "demand_bytes": 0, "gap_bytes": 0, "terms": {}}
    text = render_run(infeasible)
    assert "DOES NOT RUN: no such AMP mode" in text
    assert "gap" not in text


@pytest.mark.parametrize("name", ["result", "infeasible"])
@pytest.mark.parametrize("width", [60, 80, 120])
def test_keeps_to_the_width(name, width, request):
    result = request.getfixturevalue(name)
    assert max(map(len, render_run(result, width).splitlines())) <= width


@pytest.mark.parametrize("name", ["result", "infeasible"])
def test_colour_changes_no_word(name, request):
    result = request.getfixturevalue(name)
    plain, coloured = render_run(result), render_run(result, colour=True)
    assert "\x1b" not in plain
    assert "\x1b" in coloured
    words = re.sub(r"\x1b\[[\d;]*m", "", coloured)
    assert words.split() == plain.split()


def test_many_operators_are_cut_to_the_largest_in_program_order(result):
    op = result["ops"][1]
    result["ops"] = [dict(op, name=f"op{index}", cycles=100 + index) for index in range(30)]
    result["cycles"] = sum(each["cycles"] for each in result["ops"])
    text = render_run(result)
    shown = re.findall(r"^  (op\d+) +add", text, re.MULTILINE)
    assert shown == [f"op{index}" for index in range(18, 30)]
    assert "18 further operators take 56.9 % of the cycles." in text


def test_the_optional_parts_may_be_missing(result):
    for key in ("insights", "tiles_used", "idle_fraction", "not_modelled", "assumed_constants"):
        del result[key]
    for op in result["ops"]:
        for key in ("terms", "imbalance"):
            del op[key]
    text = render_run(result)
    assert "Insight" not in text
    assert "66,304" in text


@pytest.mark.parametrize(
    ("found", "words"),
    [
        (
            (0.03, 0.12, 1.0, []),
            "Uncertainty: 3.0 % on average and 12.0 % at most, as far as such products were measured",
        ),
        ((0.03, 0.12, 0.9, ["relu was never measured"]), "for 90.0 % of the cycles; of the others: relu was never"),
        ((None, None, 0.0, ["add was never measured"]), "Uncertainty: not known, for add was never measured."),
    ],
)
def test_the_uncertainty_is_said(result, found, words):
    names = ("mean_error", "worst_error", "validated_share", "outside")
    result["uncertainty"] = dict(zip(names, found, strict=True))
    assert words in " ".join(render_run(result).split())


def test_long_names_lose_their_middle_where_there_is_no_room(result):
    result["energy_j"] = result["ops"][0]["energy_j"] = 1e-3
    result["ops"][0]["name"] = "layers.11.attention.context.softmax.inverse_sum"
    result["ops"][1]["fused_into"] = result["ops"][0]["name"]
    text = render_run(result, every_op=True)
    assert max(map(len, text.splitlines())) <= 80
    (line,) = (line for line in text.splitlines() if " matmul " in line)
    assert line.split() == [
        *("layers.11.at….inverse_sum", "matmul", "64,000", "96.5", "%", "248", "T", "118", "MiB"),
        *("10.0", "%", "1.00", "mJ"),
    ]
    assert "fused   into layers.11.at…x.inverse_sum" in text
    assert "TFLOP/s" in render_run(result, 140, every_op=True)
