from types import SimpleNamespace

from ipusim.comparison.uncertainty import uncertainty_by_mode
from ipusim.report.canvas import draw
from ipusim.report.trust import (
    band_sentence,
    band_text,
    cell_band,
    comparison_uncertainty,
    exploration_uncertainty,
    limit_parts,
    uncertainty_sentences,
)


def _cell(mode, mean, worst, *outside):
    found = {"mean_error": mean, "worst_error": worst, "validated_share": 1.0, "outside": list(outside)}
    return SimpleNamespace(point=SimpleNamespace(mode=mode), outcome=SimpleNamespace(uncertainty=found))


_NOTHING = SimpleNamespace(point=SimpleNamespace(mode="static"), outcome=SimpleNamespace(uncertainty=None))


def test_cells_of_a_mode_are_taken_together():
    cells = [
        *(_cell("dense", 0.03, 0.12), _cell("static", 0.1, 0.5), _cell("static", 0.2, 0.55), _NOTHING),
        *(_cell("static", None, None, "one", "two"), _cell("static", 0.1, 0.9, "two")),
    ]
    dense, static = uncertainty_by_mode(cells)
    assert dense == {
        **{"mode": "dense", "cells": 1, "validated_cells": 1, "mean_error": 0.03, "worst_error": 0.12, "outside": []}
    }
    assert static["mean_error"] == (0.1 + 0.2) / 2
    assert (static["worst_error"], static["cells"], static["validated_cells"]) == (0.55, 4, 2)
    assert static["outside"] == ["two", "one"]


def test_sentences_of_a_comparison():
    cells = [_cell("dense", 0.03, 0.12), _cell("static", 0.1, 0.5), _cell("static", None, None, "b was never measured")]
    document = {"uncertainty": uncertainty_by_mode([*cells, _cell("dynamic", None, None, "c was not")])}
    assert comparison_uncertainty(document) == [
        "Uncertainty, dense: 3.0 % on average and 12.0 % at most, as far as such products were measured "
        "(ipusim validate).",
        "Uncertainty, static: 10.0 % on average and 50.0 % at most, as far as such products were measured, in 1 of 2 "
        "cells; of the others: b was never measured.",
        "Uncertainty, dynamic: not known, for c was not.",
    ]


def test_results_that_say_nothing_get_no_sentences():
    assert comparison_uncertainty({}) == uncertainty_sentences({}) == limit_parts({}) == []


def test_limits_are_sentences():
    document = {"chip": "bow", "not_modelled": ["hosts", "routes"], "assumed_constants": 3}
    lines = draw(limit_parts(document, ["Uncertainty: none."]), 80).splitlines()
    assert lines == [
        *("", "Uncertainty: none.", "Not modelled: hosts; routes."),
        "The result rests on 3 assumed constants (ipusim chips show bow).",
    ]


def _point(mean, worst, share, *outside):
    words = [each.partition(" ")[0] for each in outside]
    found = {"mean_error": mean, "worst_error": worst, "validated_share": share, "outside": list(outside)}
    return {**found, "outside_words": words, "kind_error": 0.03}


def test_the_band_of_a_point_is_short():
    assert band_text(None) == "-"
    assert band_text(_point(0.03, 0.12, 1.0)) == "±3 %"
    assert band_text(_point(0.034, 0.12, 0.96, "operator a")) == "±3.4 % of 96 %"
    assert band_text(_point(None, None, 0.0, "chip a", "size b")) == "outside: chip, size"
    assert band_text(_point(None, None, 0.0, "chip a", "size b", "DRAM c")) == "outside: chip, size, ..."


def test_the_band_of_a_cell():
    assert cell_band({}) == cell_band({"model_outside": None}) == "-"
    assert cell_band({"model_mean_error": 0.12, "model_outside": ""}) == "±12 %"
    assert cell_band({"model_mean_error": 0.12, "model_outside": "operator"}) == "±12 % part"
    assert cell_band({"model_mean_error": None, "model_outside": "chip, size"}) == "outside: chip, size"


def test_the_band_of_a_point_in_words():
    assert band_sentence(_point(0.03, 0.12, 1.0)).startswith("3.0 % on average and 12.0 % at most")
    assert band_sentence(_point(None, None, 0.0, "chip a")) == (
        "not known, for chip a; such products were 3 % off on average where they were measured"
    )
    assert band_sentence({**_point(None, None, 0.0, "chip a"), "kind_error": None}) == "not known, for chip a"


def test_sentences_of_an_exploration():
    found = {"points": 40, "validated_points": 3, "mean_error": 0.03, "worst_error": 0.12, "outside": ["a was not"]}
    assert exploration_uncertainty({"uncertainty": found}) == [
        "Uncertainty: 3.0 % on average and 12.0 % at most, as far as such products were measured, in 3 of 40 points; "
        "of the others: a was not."
    ]
    assert exploration_uncertainty({}) == exploration_uncertainty({"uncertainty": {**found, "points": 0}}) == []
