"""Samplers: how many points, whether they repeat, whether they learn."""

from dataclasses import replace
from itertools import chain

import pytest

from ipusim.chip.fields import constant_fields
from ipusim.exploration.load import load_space
from ipusim.exploration.metrics import METRICS
from ipusim.exploration.samplers.registry import Judged, find_sampler, sampler_names
from ipusim.files.wording import FieldError

SPACE = load_space(
    {
        "chip": "tiny",
        "workloads": "dense/tiny",
        "parameters": {"n_tiles": [4, 8, 12], "sync_cycles": list(range(50)), "worker_contexts": [1, 2]},
    }
)


def run(name, cost=lambda point: (point["sync_cycles"], -point["n_tiles"]), **changes):
    space = replace(SPACE, sampler=name, **changes)
    search = find_sampler(name).start(space)
    found = []
    for generation in search.generations():
        found.append([dict(point) for point in generation])
        search.tell([Judged(cost(point), 0.0) for point in generation])
    return found


def test_a_grid_has_every_combination_once():
    points = list(chain(*run("grid")))
    assert len({tuple(point.items()) for point in points}) == len(points) == 300
    assert points[0] == {"n_tiles": 4, "sync_cycles": 0, "worker_contexts": 1}
    assert points[1]["worker_contexts"] == 2
    assert list(chain(*run("grid", budget=7))) == points[:7]


@pytest.mark.parametrize("name", ["random", "sobol", "nsga2", "tpe"])
def test_the_seed_and_what_became_of_the_points_decide_all(name):
    pytest.importorskip("optuna")
    objectives = (SPACE.objectives[0], SPACE.objectives[0])
    one, again, other = (run(name, budget=40, seed=seed, objectives=objectives) for seed in (1, 1, 2))
    assert one == again != other
    assert sum(map(len, one)) == 40
    assert all(point["sync_cycles"] in range(50) for point in chain(*one))
    assert run(name, budget=20, seed=1, objectives=objectives)[0] == one[0][:20]


@pytest.mark.parametrize("name", ["nsga2", "tpe"])
def test_those_that_learn_find_better_points_later(name):
    pytest.importorskip("optuna")
    generations = run(name, lambda point: (point["sync_cycles"],), budget=320 if name == "nsga2" else 96)
    means = [sum(point["sync_cycles"] for point in each) / len(each) for each in generations]
    assert means[-1] < means[0] / 2
    assert find_sampler(name).learns


def test_forbidden_points_are_avoided():
    pytest.importorskip("optuna")
    search = find_sampler("nsga2").start(replace(SPACE, sampler="nsga2", budget=320))
    share = []
    for generation in search.generations():
        bad = [point["sync_cycles"] < 30 for point in generation]
        share.append(sum(bad) / len(bad))
        search.tell([Judged(None, 1.0) if each else Judged((1.0,), 0.0) for each in bad])
    assert share[-1] < share[0] / 2


def test_names():
    assert set(sampler_names()) == {"grid", "nsga2", "random", "sobol", "tpe"}
    with pytest.raises(FieldError, match="unknown sampler 'grd'"):
        find_sampler("grd")


def test_figures_are_not_called_like_constants_of_the_chip():
    assert not set(METRICS) & set(constant_fields())
