"""Kernels beside naive NumPy oracles, bit for bit."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ipusim.formats import round_to_format
from ipusim.ir.regions import Regions, whole_boxes
from ipusim.kernels import matmul
from ipusim.kernels.elementwise import ADD, COPY, combine_regions
from ipusim.kernels.matmul import multiply_boxes
from ipusim.kernels.workers import Workers

NAN_BITS = np.float32(np.nan).view(np.uint32)


def fma(a: np.ndarray, b: np.ndarray, c: np.ndarray) -> np.ndarray:
    """Return a * b + c of float32 arrays, rounded once.

    The product is exact in float64. Their sum is rounded to odd there (the error of the addition says in which
    direction the last bit must be set), after which rounding to float32 is that of the exact sum.
    """
    with np.errstate(all="ignore"):
        product, addend = np.broadcast_arrays(a.astype(np.float64) * b.astype(np.float64), c.astype(np.float64))
        total = product + addend
        part = total - product
        error = (product - (total - part)) + (addend - part)
        even = (total.view(np.int64) & 1) == 0
        towards = np.where(error > 0, np.inf, -np.inf)
        inexact = np.isfinite(error) & (error != 0) & even & np.isfinite(total)
        total = np.where(inexact, np.nextafter(total, towards), total)
        return total.astype(np.float32)


def product(a: np.ndarray, b: np.ndarray, start: np.ndarray, round_every: int) -> np.ndarray:
    """Return start + a @ b as the kernels define it."""
    total = start.copy()
    depth = a.shape[1]
    for k in range(depth):
        total = fma(a[:, k, None], b[None, k, :], total)
        if round_every and ((k + 1) % round_every == 0 or k + 1 == depth):
            total = round_to_format(total, "float16")
    return total


def same_bits(got: np.ndarray, expected: np.ndarray) -> None:
    nan = np.isnan(expected)
    assert np.array_equal(np.isnan(got), nan)
    assert np.array_equal(got.view(np.uint32)[~nan], expected.view(np.uint32)[~nan])


def values(rng: np.random.Generator, shape: tuple[int, ...], kind: str, half: bool) -> np.ndarray:
    """Return ordinary numbers, numbers of every magnitude (subnormals included), or any bit patterns at all."""
    if kind == "normal":
        found = rng.standard_normal(shape, dtype=np.float32)
    elif kind == "wide":
        found = np.ldexp(rng.standard_normal(shape), rng.integers(-78, 60, shape)).astype(np.float32)
        found *= rng.choice([0.0, 1.0], shape, p=[0.1, 0.9]).astype(np.float32)
    else:
        found = rng.integers(0, 2**32, shape, dtype=np.uint32).view(np.float32)
    with np.errstate(invalid="ignore"):
        if half and kind == "wide":
            found = np.ldexp(rng.standard_normal(shape), rng.integers(-14, 9, shape)).astype(np.float32)
        return round_to_format(found, "float16") if half else found


def test_the_oracle_rounds_once():
    a, c = np.float32(1 + 2.0**-12), np.float32(2.0**-60)
    exact = np.array([a]), np.array([a]), np.array([-c])
    below_tie = (1.0 + 2.0**-11 + 2.0**-24) - 2.0**-60
    assert fma(*exact)[0] == np.float32(1 + 2.0**-11)
    assert np.float32(below_tie) == np.float32(1 + 2.0**-11)
    assert fma(np.array([a]), np.array([a]), np.array([c]))[0] == np.float32(1 + 2.0**-11 + 2.0**-23)


@st.composite
def products(draw):
    groups = draw(st.sampled_from([1, 1, 3]))
    m, k, n = draw(st.integers(1, 45)), draw(st.integers(1, 70)), draw(st.integers(1, 75))
    past = draw(st.tuples(*[st.integers(0, 5)] * 3))
    return {
        "groups": groups,
        "extents": (m, k, n),
        "past": past,
        "left_groups": draw(st.sampled_from([1, groups])),
        "transpose": draw(st.tuples(st.booleans(), st.booleans())),
        "accumulate": draw(st.booleans()),
        "round_every": draw(st.sampled_from([0, 1, 4, 16])),
        "kind": draw(st.sampled_from(["normal", "wide", "bits"])),
        "seed": draw(st.integers(0, 2**32 - 1)),
    }


@settings(deadline=None, max_examples=60)
@given(case=products())
def test_one_vertex_against_the_chain_of_multiply_adds(case):
    rng = np.random.default_rng(case["seed"])
    m, k, n = case["extents"]
    more_m, more_k, more_n = case["past"]
    groups, half = case["groups"], case["round_every"] > 0
    a = values(rng, (case["left_groups"], m, k), case["kind"], half)
    b = values(rng, (groups, k, n), case["kind"], half)
    start = values(rng, (groups, m, n), case["kind"], half)
    flip_a, flip_b = case["transpose"]
    left = np.ascontiguousarray(a.swapaxes(1, 2)) if flip_a else a
    right = np.ascontiguousarray(b.swapaxes(1, 2)) if flip_b else b
    m_box, k_box, n_box = (0, m + more_m), (0, k + more_k), (0, n + more_n)
    left_box = [0, case["left_groups"], *(k_box + m_box if flip_a else m_box + k_box)]
    right_box = [0, groups, *(n_box + k_box if flip_b else k_box + n_box)]
    out = start.copy()
    with Workers(1) as workers:
        multiply_boxes(
            left,
            right,
            out,
            np.array([left_box]),
            np.array([right_box]),
            np.array([[0, groups, *m_box, *n_box]]),
            workers,
            flip_a,
            flip_b,
            case["accumulate"],
            case["round_every"],
        )
    for g in range(groups):
        first = start[g] if case["accumulate"] else np.zeros((m, n), np.float32)
        expected = product(a[min(g, len(a) - 1)], b[g], first, case["round_every"])
        same_bits(out[g], expected)
        assert np.all(out[g].view(np.uint32)[np.isnan(expected)] == NAN_BITS)


@settings(deadline=None, max_examples=15)
@given(
    extents=st.tuples(st.integers(1, 90), st.integers(1, 900), st.integers(1, 90)),
    parts=st.tuples(st.integers(1, 4), st.integers(1, 3), st.integers(1, 4)),
    threads=st.integers(1, 3),
    small_workspace=st.booleans(),
    round_every=st.sampled_from([0, 16]),
    seed=st.integers(0, 2**32 - 1),
)
def test_the_cut_into_vertices_passes_and_threads_leaves_no_trace(
    extents, parts, threads, small_workspace, round_every, seed
):
    """Every vertex is what a product of its blocks alone is, however many others there are."""
    rng = np.random.default_rng(seed)
    m, k, n = extents
    a = values(rng, (1, m, k), "normal", round_every > 0)
    b = values(rng, (1, k, n), "normal", round_every > 0)
    edges = [np.linspace(0, extent, part + 1).astype(int) for extent, part in zip(extents, parts, strict=True)]
    cells = [(i, j, d) for i in range(parts[0]) for d in range(parts[1]) for j in range(parts[2])]
    rng.shuffle(cells)
    rows, depth, cols = ([(e[i], e[i + 1]) for i in range(len(e) - 1)] for e in edges)
    left_box = np.array([[0, 1, *rows[i], *depth[d]] for i, _, d in cells])
    right_box = np.array([[0, 1, *depth[d], *cols[j]] for _, j, d in cells])
    out_box = np.array([[d, d + 1, *rows[i], *cols[j]] for i, j, d in cells])
    out = np.full((parts[1], m, n), np.nan, np.float32)
    told = []
    with pytest.MonkeyPatch.context() as patch, Workers(threads) as workers:
        patch.setattr(matmul, "WORKSPACE_BYTES", 5000 if small_workspace else matmul.WORKSPACE_BYTES)
        multiply_boxes(a, b, out, left_box, right_box, out_box, workers, round_every=round_every, done=told.append)
    assert told == sorted(told)
    assert told[-1] == pytest.approx(1.0)
    for d, (first, last) in enumerate(depth):
        zero = np.zeros((m, n), np.float32)
        same_bits(out[d], product(a[0, :, first:last], b[0, first:last], zero, round_every))


@st.composite
def runs(draw):
    """Boxes of equal volume but any shape, and a run of their elements."""
    extents = draw(st.sampled_from([(1, 4, 6), (2, 3, 4), (1, 1, 24), (24, 1, 1), (1, 24, 1), (2, 2, 6)]))
    other = draw(st.sampled_from([extents, (1, 4, 6), (1, 1, 24), (3, 2, 4)]))
    begin = draw(st.integers(0, 23))
    return extents, other, begin, draw(st.integers(begin, 24))


def elements(box: np.ndarray, begin: int, end: int) -> list[tuple[int, int, int]]:
    g0, g1, r0, r1, c0, c1 = box
    every = [(g, r, c) for g in range(g0, g1) for r in range(r0, r1) for c in range(c0, c1)]
    return every[begin:end]


@settings(deadline=None, max_examples=60)
@given(
    vertices=st.lists(runs(), min_size=1, max_size=3),
    sources=st.integers(1, 3),
    how=st.sampled_from([COPY, ADD]),
    half=st.booleans(),
    cut=st.integers(0, 2),
    seed=st.integers(0, 2**32 - 1),
)
def test_combining_regions_element_by_element(vertices, sources, how, half, cut, seed):
    rng = np.random.default_rng(seed)
    out = values(rng, (75, 25, 26 - cut), "wide", half)
    source = values(rng, (27, 26, 27), rng.choice(["normal", "bits", "wide"]), False)
    expected = out.copy()
    out_boxes, source_boxes, begins, ends = [], [], [], []
    for i, (shape, other, begin, end) in enumerate(vertices):
        corner = (24 * i, rng.integers(0, 2), rng.integers(0, 3))
        out_boxes.append([x for c, e in zip(corner, shape, strict=True) for x in (c, c + e)])
        begins.append(begin)
        ends.append(end)
        targets = elements(out_boxes[-1], begin, end)
        picked = []
        for _ in range(sources):
            where = rng.integers(0, 3, 3)
            source_boxes.append([x for c, e in zip(where, other, strict=True) for x in (c, c + e)])
            picked.append(elements(source_boxes[-1], begin, end))
        inside = lambda at, array: all(x < e for x, e in zip(at, array.shape, strict=True))  # noqa: E731
        with np.errstate(all="ignore"):
            for at, *froms in zip(targets, *picked, strict=True):
                for number, origin in enumerate(froms):
                    if not inside(at, expected) or not inside(origin, source):
                        continue
                    x = source[origin]
                    if number > 0 or how == ADD:
                        x = np.float32(expected[at] + x)
                    last = number == sources - 1
                    expected[at] = round_to_format(x, "float16") if half and last else x
    begins, ends = np.array(begins), np.array(ends)
    segments = np.arange(len(vertices) + 1) * sources
    with Workers(int(rng.integers(1, 3))) as workers:
        combine_regions(
            out,
            Regions(np.array(out_boxes), begins, ends),
            source,
            Regions(np.array(source_boxes), np.repeat(begins, sources), np.repeat(ends, sources)),
            workers,
            how,
            segments,
            half,
        )
    same_bits(out, expected)


def test_rounding_to_half_at_every_tie_and_beside_it():
    codes = np.arange(2**16, dtype=np.uint16).view(np.float16).astype(np.float32)
    grid = np.unique(codes[np.isfinite(codes)])
    grid = np.concatenate([[-65536.0], grid, [65536.0]]).astype(np.float32)
    middle = ((grid[1:].astype(np.float64) + grid[:-1]) / 2).astype(np.float32)
    points = np.concatenate([grid, middle, np.array([np.inf, -np.inf, np.nan, -0.0, 1e-45, 3e38], np.float32)])
    points = np.concatenate([points, np.nextafter(points, np.float32(np.inf)), np.nextafter(points, np.float32(-1e38))])
    source = points.astype(np.float32).reshape(1, 1, -1)
    regions = whole_boxes(np.array([[0, 1, 0, 1, 0, source.shape[2]]]))
    out = np.zeros_like(source)
    with Workers(1) as workers:
        combine_regions(out, regions, source, regions, workers, half=True)
    with np.errstate(over="ignore", invalid="ignore"):
        same_bits(out, source.astype(np.float16).astype(np.float32))
    one = np.ones((1, 1, 1), np.float32)
    spread = np.zeros_like(source)
    box = np.array([[0, 1, 0, 1, 0, source.shape[2]]])
    with Workers(1) as workers:
        multiply_boxes(one, source, spread, np.array([[0, 1] * 3]), box, box, workers, round_every=16)
    with np.errstate(over="ignore", invalid="ignore"):
        same_bits(spread + np.float32(0), source.astype(np.float16).astype(np.float32) + np.float32(0))
