import pytest

from ipusim.report.canvas import bar, bullets, draw, elided, sentence


@pytest.mark.parametrize("unit", ["%", "KiB", "us", "TFLOP/s", "B"])
@pytest.mark.parametrize("width", range(14, 40))
def test_no_line_ends_between_a_number_and_its_unit(unit, width):
    lines = draw([sentence(f"about 49.8 {unit}, then 12.5 {unit} and 7 more")], width).splitlines()
    assert not any(line.startswith(unit) for line in lines)
    assert " ".join(lines) == f"about 49.8 {unit}, then 12.5 {unit} and 7 more"


@pytest.mark.parametrize(("fraction", "filled"), [(0.0, 0), (0.001, 1), (0.5, 5), (1.0, 10), (1.7, 10), (-0.2, 0)])
def test_bar(fraction, filled):
    text = bar(fraction, 10, "").plain
    assert (text.count("█"), len(text)) == (filled, 10)


def test_bullets_hang():
    assert draw(bullets(["one two three four"]), 12) == "  - one two\n    three\n    four\n"


@pytest.mark.parametrize(("most", "shown"), [(20, "layers.0.ffn.up"), (9, "laye…n.up"), (8, "lay…n.up"), (1, "…")])
def test_long_names_lose_their_middle(most, shown):
    assert elided("layers.0.ffn.up", most) == shown
