"""Sparsity patterns: how many blocks, and which."""

from __future__ import annotations

import csv
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.io import mmwrite
from scipy.sparse import random_array, save_npz

from ipusim.kernels.jit import compiled
from ipusim.sparse.blocks import Blocks, blocks_to_dense
from ipusim.sparse.patterns.registry import build_pattern, find_pattern, pattern_names
from ipusim.sparse.patterns.shuffled import draw_first, shuffle_in_place
from ipusim.sparse.patterns.spec import PatternError, PatternRequest, density_of, smallest

FIXED = {
    "random": [8, 15, 18, 19, 28, 39, 41, 42, 46, 47, 48, 52, 54, 57, 62, 63],
    "n_m": [1, 4, 8, 15, 18, 21, 24, 28, 33, 39, 41, 46, 48, 54, 57, 63],
}
"""Kept blocks of an 8x8 grid with seed 3: one of four, the last row and column four times as likely or in groups."""
SHUFFLES = Path(__file__).parents[2] / "data" / "vectors" / "static_shuffle.csv"


def build(name: str, shape: tuple[int, int], block_size: int, density: str, **options: Any) -> Blocks:
    def values() -> np.ndarray:
        return np.random.default_rng(5).standard_normal(shape, dtype=np.float32)

    return build_pattern(name, PatternRequest(shape, block_size, Fraction(density), 3, options, values=values))


def test_registry() -> None:
    assert pattern_names() == ("banded", "block_diagonal", "file", "given", "magnitude", "n_m", "random", "shuffled")
    assert all(find_pattern(name).name == name for name in pattern_names())
    with pytest.raises(KeyError):
        find_pattern("spiral")


@pytest.mark.parametrize(
    ("written", "density"),
    [
        ("1/16", Fraction(1, 16)),
        (0.1, Fraction(1, 10)),
        (1, Fraction(1)),
        (1 / 3, Fraction(1, 3)),
        (5 / 6, Fraction(5, 6)),
        (0.3333333, Fraction(3333333, 10**7)),
        (2.0**-40, Fraction("9.094947017729282e-13")),
    ],
)
def test_density_is_exact(written: float | str, density: Fraction) -> None:
    assert density_of(written) == density


@pytest.mark.parametrize("wrong", [0, 1.5, "x", "1/0", float("nan"), -0.1, float("inf"), None])
def test_density_outside_its_range(wrong: Any) -> None:
    with pytest.raises(PatternError):
        density_of(wrong)


@pytest.mark.parametrize("name", ["random", "banded", "magnitude", "shuffled"])
@pytest.mark.parametrize("block_size", [1, 4, 16])
def test_count_is_the_density_rounded_up(name: str, block_size: int) -> None:
    blocks = build(name, (96, 160), block_size, "1/7")
    total = (96 // block_size) * (160 // block_size)
    assert blocks.n_blocks == -(-total // 7)
    flat = blocks.rows.astype(int) * (160 // block_size) + blocks.cols
    assert np.all(np.diff(flat) > 0)
    assert flat[-1] < total


@pytest.mark.parametrize("name", ["random", "banded", "magnitude", "shuffled", "block_diagonal"])
def test_density_one_keeps_everything(name: str) -> None:
    assert build(name, (8, 12), 4, "1").n_blocks == 6


def test_same_seed_same_pattern() -> None:
    first, again = (build("random", (64, 64), 1, "1/5") for _ in range(2))
    assert np.array_equal(first.cols, again.cols)
    other = build_pattern("random", PatternRequest((64, 64), 1, Fraction(1, 5), 4))
    assert not np.array_equal(first.cols, other.cols)


def test_shuffle_is_the_gnu_librarys() -> None:
    with SHUFFLES.open() as file:
        cases = list(csv.DictReader(file))
    assert len(cases) == 39
    fast = compiled(shuffle_in_place)
    for case in cases:
        size, seed = int(case["size"]), int(case["seed"])
        values = np.arange(size, dtype=np.int32)
        (shuffle_in_place if size <= 1000 else fast)(values, seed)
        digest = 0
        for value in values.tolist():
            digest = (digest * 1000003 + value) % 2**64 % 2305843009213693951
        assert digest == int(case["hash"]), case


@pytest.mark.parametrize("total", [46341, 65536, 200_001])
def test_start_of_a_shuffle_is_that_of_the_whole(total: int) -> None:
    for seed in (0, 123, 2**31 - 2):
        whole = np.arange(total, dtype=np.int32)
        compiled(shuffle_in_place)(whole, seed)
        for count in (1, 2, total // 7, total):
            kept = np.empty(count + 1, dtype=np.int32)
            compiled(draw_first)(kept, total, seed)
            assert np.array_equal(kept[:-1], whole[:count])
    slow = np.empty(12, dtype=np.int32)
    draw_first(slow, 46341, 123)
    fast = np.empty(12, dtype=np.int32)
    compiled(draw_first)(fast, 46341, 123)
    assert np.array_equal(slow, fast)


def test_banded_hugs_the_diagonal() -> None:
    blocks = build("banded", (64, 64), 1, "1/8")
    assert np.bincount(blocks.rows).tolist() == [8] * 64
    assert int(np.abs(blocks.rows.astype(int) - blocks.cols).max()) == 7
    inner = (blocks.rows >= 4) & (blocks.rows < 60)
    assert int(np.abs(blocks.rows.astype(int) - blocks.cols)[inner].max()) == 4


def test_block_diagonal() -> None:
    dense = blocks_to_dense(build("block_diagonal", (8, 12), 2, "1/2"))
    assert np.array_equal(dense, np.kron(np.eye(2), np.ones((4, 6))))
    uneven = build("block_diagonal", (5, 7), 1, "1/3")
    assert np.bincount(uneven.rows, minlength=5).min() >= 2
    for density in ("2/3", "1/9"):
        with pytest.raises(PatternError):
            build("block_diagonal", (8, 12), 2, density)


def test_n_m_keeps_n_of_every_m() -> None:
    blocks = build("n_m", (32, 64), 1, "1/2")
    groups = np.bincount(blocks.rows.astype(int) * 16 + blocks.cols // 4)
    assert np.all(groups == 2)
    assert build("n_m", (32, 64), 4, "1/4", n=1, m=4).n_blocks == 8 * 4
    for options in ({"n": 3, "m": 2}, {"n": 1, "m": 8}, {"n": 1.0, "m": 2}, {"n": 3, "m": 6}):
        with pytest.raises(PatternError):
            build("n_m", (32, 64), 1, "1/2", **options)


def test_magnitude_keeps_the_largest_of_the_tensors_values() -> None:
    values = np.arange(32 * 32, dtype=np.float32).reshape(32, 32) - 700
    request = PatternRequest((32, 32), 4, Fraction(1, 4), values=lambda: values)
    blocks = build_pattern("magnitude", request)
    norms = np.abs(values).reshape(8, 4, 8, 4).sum(axis=(1, 3))
    assert blocks.data is None
    assert norms[blocks.rows, blocks.cols].min() >= np.sort(norms.ravel())[-16]
    with pytest.raises(PatternError, match="needs the values"):
        build_pattern("magnitude", PatternRequest((32, 32), 4, Fraction(1, 4)))


def test_random_patterns_are_the_same_on_every_machine() -> None:
    """Positions worked out from the raw words of PCG64 with Python's whole numbers."""
    raw = np.random.PCG64(np.random.SeedSequence(3)).random_raw(8)
    words = [int(word) >> shift & 0xFFFFFFFF for word in raw for shift in (0, 32)]
    chosen: set[int] = set()
    for index, word in enumerate(words[:15]):
        last = 60 - 15 + index
        place = word * (last + 1) >> 32
        chosen.add(last if place in chosen else place)
    blocks = build("random", (6, 10), 1, "1/4")
    assert (blocks.rows * 10 + blocks.cols).tolist() == sorted(chosen)
    rest = build("random", (6, 10), 1, "3/4")
    assert sorted((rest.rows * 10 + rest.cols).tolist()) == sorted(set(range(60)) - chosen)


def test_random_sets_are_equally_likely() -> None:
    counts = np.zeros(10)
    for seed in range(4000):
        blocks = build_pattern("random", PatternRequest((2, 5), 1, Fraction(3, 10), seed))
        counts[blocks.rows * 5 + blocks.cols] += 1
    assert counts.sum() == 12000
    assert np.abs(counts - 1200).max() < 5 * np.sqrt(1200 * 0.7)


def test_unbalanced_and_grouped_patterns_are_the_same_everywhere() -> None:
    known = {
        "random": {"imbalance": 4},
        "n_m": {"n": 1, "m": 4},
    }
    found = {name: build(name, (8, 8), 1, "1/4", **options) for name, options in known.items()}
    flat = {name: (blocks.rows * 8 + blocks.cols).tolist() for name, blocks in found.items()}
    assert flat == FIXED


@pytest.mark.parametrize("name", ["random", "magnitude"])
def test_imbalance_makes_late_rows_denser(name: str) -> None:
    blocks = build(name, (256, 256), 1, "1/8", imbalance={"rows": 8})
    assert blocks.n_blocks == 8192
    rows, cols = np.bincount(blocks.rows, minlength=256), np.bincount(blocks.cols, minlength=256)
    assert rows[-64:].sum() > 2 * rows[:64].sum()
    assert abs(int(cols[-64:].sum()) - int(cols[:64].sum())) < 300
    both = build(name, (256, 256), 1, "1/8", imbalance=8)
    assert np.bincount(both.cols, minlength=256)[-64:].sum() > 2 * np.bincount(both.cols, minlength=256)[:64].sum()


@pytest.mark.parametrize("imbalance", [0.5, "x", {"depth": 2}, float("inf"), True])
def test_wrong_imbalance(imbalance: Any) -> None:
    with pytest.raises(PatternError):
        build("random", (16, 16), 1, "1/2", imbalance=imbalance)


def test_wrong_options_and_shapes() -> None:
    with pytest.raises(PatternError, match="no option 'colour'"):
        build("random", (16, 16), 1, "1/2", colour=1)
    with pytest.raises(PatternError, match="17 rows"):
        build("random", (17, 16), 4, "1/2")


def test_ties_go_to_the_first() -> None:
    assert smallest(np.array([2, 1, 1, 1], np.float32), 2).tolist() == [1, 2]
    assert smallest(np.array([2, 1], np.float32), 5).tolist() == [0, 1]


@pytest.mark.parametrize("suffix", ["mtx", "npz"])
def test_matrix_from_a_file(tmp_path: Path, suffix: str) -> None:
    matrix = random_array((24, 16), density=0.1, rng=np.random.default_rng(1), dtype=np.float32)
    path = tmp_path / f"w.{suffix}"
    mmwrite(path, matrix) if suffix == "mtx" else save_npz(path, matrix.tocsr())
    for block_size in (1, 4):
        blocks = build("file", (24, 16), block_size, "1", file=str(path))
        assert np.allclose(blocks_to_dense(blocks), matrix.toarray(), rtol=1e-6)
    with pytest.raises(PatternError, match="24x16, the tensor 16x16"):
        build("file", (16, 16), 1, "1", file=str(path))


def test_unreadable_files(tmp_path: Path) -> None:
    (tmp_path / "w.mtx").write_text("not a matrix\n")
    (tmp_path / "w.npz").write_bytes(b"not a zip")
    (tmp_path / "w.csv").write_text("1,2\n")
    for name in ("w.mtx", "w.npz", "w.csv", "none.mtx"):
        with pytest.raises(PatternError):
            build("file", (16, 16), 1, "1", file=str(tmp_path / name))
    with pytest.raises(PatternError, match="needs the option"):
        build("file", (16, 16), 1, "1")


def test_a_file_with_bad_values(tmp_path: Path) -> None:
    header = "%%MatrixMarket matrix coordinate {} general\n2 2 1\n"
    (tmp_path / "nan.mtx").write_text(header.format("real") + "1 1 nan\n")
    (tmp_path / "complex.mtx").write_text(header.format("complex") + "1 1 1 2\n")
    for name in ("nan.mtx", "complex.mtx"):
        with pytest.raises(PatternError, match="holds"):
            build("file", (2, 2), 1, "1", file=str(tmp_path / name))
