from fractions import Fraction

import pytest

from ipusim.comparison.options import MAX_POINTS, parse_options
from ipusim.comparison.points import MODES
from ipusim.errors import BadInputError


def test_nothing_is_asked_for_by_default():
    options = parse_options()
    assert (options.densities, options.block_sizes, options.batches, options.dtypes, options.features) == (None,) * 5
    assert options.modes == MODES
    assert options.weights == ()


@pytest.mark.parametrize(
    "given", ["1/4,1/8", " 1/8 , 0.25 ", [0.25, "1/8"], (Fraction(1, 4), Fraction(1, 8)), ["1/4", 0.125, "0.125"]]
)
def test_densities_in_all_ways_of_writing(given):
    assert parse_options(densities=given).densities == (0.125, 0.25)


@pytest.mark.parametrize("given", ["16,4,16", [16, 4], ("4", 16.0)])
def test_counts_in_all_ways_of_writing(given):
    assert parse_options(block_sizes=given).block_sizes == (4, 16)


def test_a_single_value():
    options = parse_options(densities=0.5, batches=64, modes="dynamic", dtypes="float32", features="512", weights="w*")
    assert options.densities == (0.5,)
    assert options.batches == (64,)
    assert options.modes == ("dynamic",)
    assert options.dtypes == ("float32",)
    assert options.features == (512,)
    assert options.weights == ("w*",)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"densities": "2"}, "--density: a density is above 0 and at most 1, found 2.0"),
        ({"densities": "0"}, "the fraction that is kept"),
        ({"densities": "nan"}, "not a finite number"),
        ({"densities": "inf"}, "not a finite number"),
        ({"densities": "1/0"}, "divides by zero"),
        ({"densities": "half"}, "expected a number or a fraction"),
        ({"densities": "50%"}, "expected a number or a fraction"),
        ({"densities": [True]}, "expected a number"),
        ({"densities": ","}, "--density: there is no value"),
        ({"densities": "1/4;1/8"}, "(values are separated by commas)"),
        ({"block_sizes": "4 8"}, "(values are separated by commas)"),
        ({"densities": []}, "--density: there is no value"),
        ({"block_sizes": "4.5"}, "--block-size: expected a whole number, found the text '4.5'"),
        ({"block_sizes": 0}, "--block-size: must be from 1 to"),
        ({"block_sizes": [True]}, "expected a whole number"),
        ({"batches": "-4"}, "--batch: expected a whole number"),
        ({"batches": "99999999999"}, "--batch: must be from 1 to"),
        ({"features": "9" * 50}, "--features: expected a whole number"),
        ({"modes": "statc"}, "--mode: unknown mode 'statc' (did you mean 'static'?)"),
        ({"modes": "dense"}, "dense is always there"),
        ({"dtypes": "fp16"}, "did you mean 'float16'?"),
        ({"dtypes": [16]}, "--dtype: expected the name of a number format"),
        ({"weights": [3]}, "--weights: expected a name"),
        ({"workers": 0}, "--workers: must be at least 1, not 0"),
        ({"batches": range(1, 2000), "features": range(1, 2000)}, f"points are more than {MAX_POINTS:,}"),
    ],
)
def test_what_is_wrong(options, message):
    with pytest.raises(BadInputError) as caught:
        parse_options(**options)
    assert message in str(caught.value)
    assert len(caught.value.problems) == 1


def test_everything_wrong_is_reported_at_once():
    with pytest.raises(BadInputError) as caught:
        parse_options("0,x,1/4", "b", "s", "0", "f8", "-1", "", 0)
    assert [problem.file for problem in caught.value.problems] == [
        "--workers",
        "--density",
        "--density",
        "--block-size",
        "--mode",
        "--batch",
        "--dtype",
        "--features",
        "--weights",
    ]
