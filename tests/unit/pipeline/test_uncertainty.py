"""Tests for the band that a result carries."""

from __future__ import annotations

import pytest

from ipusim.pipeline.compiling import compile_workload
from ipusim.pipeline.uncertainty import REGIONS, uncertainty, weighted_uncertainty


def compiled(chip="bow", m=1024, n=64, dtype="float16", partials="float16", extra=(), **weight):
    document = {
        "name": "w",
        "dtype": dtype,
        "tensors": {"w": {"shape": [m, m], **weight}, "x": {"shape": [m, n]}},
        "ops": [{"op": "matmul", "inputs": ["w", "x"], "output": "y", "partials": partials}, *extra],
        "outputs": ["z" if extra else "y"],
    }
    return compile_workload(document, chip)


def sparse(density="1/4", block_size=16, mode="static"):
    return {"sparsity": {"density": density, "block_size": block_size, "mode": mode, "pattern": "shuffled"}}


@pytest.mark.parametrize(("kind", "weight"), [("dense", {}), ("static", sparse()), ("dynamic", sparse(mode="dynamic"))])
def test_measured_products_have_the_documented_error(kind, weight):
    found = uncertainty(compiled(n=256, **weight), lambda _: 100)
    assert found == {
        "mean_error": REGIONS[kind].mean_error,
        "worst_error": REGIONS[kind].worst_error,
        "validated_share": 1.0,
        "outside": [],
        "outside_words": [],
        "kind_error": REGIONS[kind].mean_error,
    }


@pytest.mark.parametrize(
    ("changes", "word", "reason"),
    [
        ({"chip": "gc200"}, "chip", "dense matmul was measured on bow alone"),
        ({"m": 64, "n": 65}, "size", "dense matmul was measured with features 1024 to 8192"),
        ({"partials": "float32"}, "format", "dense matmul of float16 with float32 partials was never measured"),
        (sparse(density="1/2"), "sparsity", "static matmul was measured with density 0.015625 to 0.25"),
    ],
)
def test_what_was_never_measured_has_no_error(changes, word, reason):
    found = uncertainty(compiled(**changes), lambda _: 100)
    assert found["mean_error"] is None
    assert found["validated_share"] == 0
    assert reason in found["outside"]
    assert found["outside_words"] == [word]
    assert found["kind_error"] == REGIONS["static" if word == "sparsity" else "dense"].mean_error


def test_the_operands_of_a_dense_product_have_no_order():
    document = {
        "name": "w",
        "dtype": "float16",
        "tensors": {"x": {"shape": [16, 1024]}, "w": {"shape": [1024, 2048]}},
        "ops": [{"op": "matmul", "inputs": ["x", "w"], "output": "y", "partials": "float16"}],
        "outputs": ["y"],
    }
    assert uncertainty(compile_workload(document, "bow"), lambda _: 1)["outside"] == []


def test_errors_are_weighted_by_cycles():
    program = compiled(extra=[{"op": "relu", "inputs": ["y"], "output": "z"}])
    cycles = {"y": 300, "z": 100}
    found = uncertainty(program, lambda name: cycles[name])
    assert found["validated_share"] == 0.75
    assert found["mean_error"] == pytest.approx(0.03)
    assert found["outside"] == ["relu was never measured in a program"]
    assert found["outside_words"] == ["operator"]
    assert found["kind_error"] == pytest.approx(0.03)


def test_errors_of_several_programs_are_weighted_by_their_cycles():
    known = {"mean_error": 0.1, "worst_error": 0.5, "validated_share": 1.0, "kind_error": 0.1}
    unknown = {"mean_error": None, "worst_error": None, "validated_share": 0.0, "kind_error": None}
    found = weighted_uncertainty(
        [
            (100.0, {**known, "outside": [], "outside_words": []}),
            (300.0, {**known, "mean_error": 0.02, "kind_error": 0.02, "outside": [], "outside_words": []}),
            (50.0, {**unknown, "outside": ["a was not"], "outside_words": ["chip"]}),
            (70.0, {**unknown, "outside": ["b was not"], "outside_words": ["chip"]}),
        ]
    )
    assert found["mean_error"] == found["kind_error"] == pytest.approx(0.04)
    assert found["worst_error"] == pytest.approx(0.5)
    assert found["validated_share"] == pytest.approx(400 / 520)
    assert (found["outside"], found["outside_words"]) == (["b was not", "a was not"], ["chip"])
    nothing = weighted_uncertainty([(50.0, {**unknown, "outside": ["a was not"], "outside_words": ["chip"]})])
    assert (nothing["mean_error"], nothing["kind_error"], nothing["validated_share"]) == (None, None, 0.0)
