"""Which points are as good as the best, as far as the model can tell."""

import numpy as np
import pytest

import ipusim
from ipusim.exploration.leads import Lead, leads, near_front
from ipusim.exploration.metrics import Objective
from ipusim.exploration.pareto import pareto_front

TIME, RATE, AREA = Objective("seconds", False), Objective("tflops", True), Objective("area_mm2", False)
NAN = float("nan")


def _leads(objectives, rows, errors, validated=None):
    costs = np.array(rows, dtype=np.float64)
    known = np.array(validated if validated is not None else [True] * len(rows), dtype=bool)
    return leads(objectives, costs, np.array(errors, dtype=np.float64), known, pareto_front(costs))


def test_points_behind_by_no_more_than_the_error_are_as_good():
    (lead,) = _leads([TIME], [[1.05], [1.0], [1.02], [1.2], [1.06]], [0.03] * 5)
    assert lead == Lead("seconds:asc", points=2, front=1, error=0.03, validated=True)
    (alone,) = _leads([TIME], [[2.0], [1.0]], [0.03, 0.03])
    assert alone.points == 1


def test_the_larger_of_two_errors_counts():
    (lead,) = _leads([TIME], [[1.0], [1.1], [1.2]], [0.03, 0.12, 0.03])
    assert (lead.points, lead.error) == (2, 0.12)


def test_more_may_be_better():
    (lead,) = _leads([RATE], [[-100.0], [-98.0], [-90.0]], [0.03] * 3)
    assert (lead.objective, lead.points) == ("tflops:desc", 2)


def test_the_region_is_that_of_all_points_that_are_compared():
    rows, errors = [[1.0], [1.01], [2.0]], [0.03] * 3
    assert _leads([TIME], rows, errors, [True, True, False])[0].validated
    assert not _leads([TIME], rows, errors, [True, False, True])[0].validated


def test_figures_without_time_and_points_without_an_error_are_not_compared():
    assert _leads([AREA], [[1.0], [1.0]], [0.03, 0.03]) == []
    assert _leads([TIME], [[1.0], [1.0]], [NAN, 0.03]) == []
    assert _leads([TIME], [[1.0], [1.01], [1.02]], [0.03, NAN, 0.03])[0].points == 1
    assert leads([TIME], np.zeros((0, 1)), np.zeros(0), np.zeros(0, dtype=bool), pareto_front(np.zeros((0, 1)))) == []


def test_points_of_the_front_are_counted():
    rows = [[1.0, 9.0], [1.01, 8.0], [1.02, 9.5], [2.0, 1.0]]
    (lead,) = _leads([TIME, AREA], rows, [0.03] * 4)
    assert (lead.points, lead.front) == (3, 2)


@pytest.mark.parametrize(
    ("row", "error", "count"),
    [
        ([1.02, 9.0], 0.03, 1),  # would be as quick, and no larger
        ([1.02, 9.0], 0.01, 0),
        ([1.02, 9.0], NAN, 0),
        ([1.0, 9.1], 0.03, 1),  # quicker than the first of the front, then
        ([2.5, 1.5], 0.03, 0),
        ([2.02, 1.0], 0.03, 1),  # as large as the second, and quicker then
        ([2.02, 1.01], 0.03, 1),
    ],
)
def test_what_would_be_on_the_front_without_the_error(row, error, count):
    costs = np.array([[1.0, 9.0], [2.0, 1.0], row])
    errors = np.array([0.03, 0.03, error])
    assert near_front([TIME, AREA], costs, errors, np.array([0, 1])) == count


def test_areas_alone_are_not_off():
    costs = np.array([[1.0, 1.0], [1.0, 1.001]])
    assert near_front([AREA, AREA], costs, np.array([0.5, 0.5]), np.array([0])) == 0


def test_a_summary_says_what_the_model_cannot_tell(small, tmp_path):
    space = {
        **{"name": "close", "chip": "tiny", "workloads": small["workloads"][:1]},
        "objectives": ["seconds", "total_bytes"],
        "parameters": {"clock_hz": ["1 GHz", "1.01 GHz", "1.02 GHz", "2 GHz"], "sync_cycles": [10, 11]},
    }
    explored = ipusim.explore(space, store=tmp_path / "store.sqlite", workers=1)
    document = explored.to_dict()
    assert [each["points"] for each in document["leads"]] == [2]
    assert not document["leads"][0]["validated"]
    said = "By time, the first 2 are within the model's error of the best (3 %, where such products were measured)"
    assert any(line.startswith(said) for line in document["summary"])
    assert document["near_front"] == 1
    assert "1 more point lies within the model's error of the front." in document["summary"]
