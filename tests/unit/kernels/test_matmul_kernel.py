"""The matrix product kernel: its edges, its refusals and its independence of the processor."""

from __future__ import annotations

import hashlib
import os
import platform
import subprocess
import sys

import numpy as np
import pytest

from ipusim.kernels.matmul import multiply_boxes
from ipusim.kernels.packing import Packings
from ipusim.kernels.workers import Workers

X86 = platform.machine() in ("x86_64", "AMD64")
AVX2_ONLY = {"NUMBA_CPU_NAME": "haswell", "NUMBA_CPU_FEATURES": "+avx,+avx2,+fma,+f16c"}
WITHOUT_FMA = {"NUMBA_CPU_NAME": "x86-64-v2", "NUMBA_CPU_FEATURES": "+sse4.2"}


def whole(array: np.ndarray) -> np.ndarray:
    return np.array([[bound for extent in array.shape for bound in (0, extent)]])


def scattered(shape: tuple[int, ...]) -> np.ndarray:
    """Return numbers in [-1, 1) on the grid of float16, the same everywhere."""
    words = np.arange(np.prod(shape), dtype=np.uint32) * np.uint32(2654435761)
    numbers = (words >> np.uint32(8)).astype(np.float32) * np.float32(2.0**-23) - np.float32(1.0)
    return numbers.astype(np.float16).astype(np.float32).reshape(shape)


def digest() -> str:
    """Return a digest of products with overflow, infinities and NaN in them, in both formats of partials."""
    found = hashlib.sha256()
    for round_every in (0, 16):
        left, right = scattered((1, 77, 501)), scattered((1, 501, 90))
        left[0, 3], right[0, 7, 5] = np.inf, -np.inf
        left[0, 9] *= 1e4
        out = np.zeros((1, 77, 90), np.float32)
        with Workers(2) as workers:
            multiply_boxes(left, right, out, whole(left), whole(right), whole(out), workers, round_every=round_every)
        found.update(out.tobytes())
    return found.hexdigest()


def run_self(environment: dict[str, str], cache: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, __file__],
        env={**os.environ, **environment, "IPUSIM_CACHE_DIR": cache},
        capture_output=True,
        text=True,
        check=False,
    )


def test_the_bytes_are_these_on_every_machine():
    assert digest() == "c8295709f11a254cf5ca6b563c4cf12debb63870a5377bb0234c95334decfe77"


@pytest.mark.slow
@pytest.mark.skipif(not X86, reason="names x86 processors")
def test_narrower_vectors_give_the_same_bytes(tmp_path):
    found = run_self(AVX2_ONLY, str(tmp_path))
    assert found.stdout.split() == ["8", digest()], found.stderr


@pytest.mark.skipif(not X86, reason="names x86 processors")
def test_a_processor_without_fused_multiply_add_is_refused(tmp_path):
    found = run_self(WITHOUT_FMA, str(tmp_path))
    assert "IpusimError: values cannot be computed on this processor, which lacks f16c and fma" in found.stderr


def test_what_the_boxes_do_not_cover_is_left_alone():
    ones = np.ones((1, 8, 8), np.float32)
    out = np.full((2, 8, 8), 5.0, np.float32)
    box = np.array([[0, 1, 2, 4, 0, 8]])
    with Workers(1) as workers:
        multiply_boxes(ones, ones, out, box, whole(ones), np.array([[1, 2, 2, 4, 0, 8]]), workers)
    expected = np.full((2, 8, 8), 5.0, np.float32)
    expected[1, 2:4] = 8.0
    assert np.array_equal(out, expected)


@pytest.mark.parametrize("accumulate", [False, True])
def test_a_result_larger_than_the_product_counts_the_rest_as_zero(accumulate):
    ones = np.ones((1, 3, 4), np.float32)
    out = np.full((1, 20, 70), 5.0, np.float32)
    with Workers(1) as workers:
        multiply_boxes(
            ones, ones, out, whole(ones), np.array([[0, 1, 0, 3, 0, 4]]), whole(out), workers, accumulate=accumulate
        )
    expected = np.full((1, 20, 70), 5.0 * accumulate, np.float32)
    expected[0, :3, :4] += 3.0
    assert np.array_equal(out, expected)


@pytest.mark.parametrize("accumulate", [False, True])
def test_a_product_without_depth_is_zero(accumulate):
    left, right = np.ones((1, 3, 4), np.float32), np.ones((1, 4, 5), np.float32)
    out = np.full((1, 3, 5), 5.0, np.float32)
    beyond = np.array([[0, 1, 0, 3, 4, 8]])
    with Workers(1) as workers:
        multiply_boxes(
            left, right, out, beyond, np.array([[0, 1, 4, 8, 0, 5]]), whole(out), workers, accumulate=accumulate
        )
    assert np.array_equal(out, np.full((1, 3, 5), 5.0 * accumulate, np.float32))


def test_no_vertices_are_no_work():
    ones = np.ones((1, 2, 2), np.float32)
    none = np.zeros((0, 6), np.int64)
    out = ones.copy()
    with Workers(2) as workers:
        multiply_boxes(ones, ones, out, none, none, none, workers)
    assert np.array_equal(out, ones)


def test_operands_of_different_groups_are_refused():
    two, three = np.ones((2, 4, 4), np.float32), np.ones((3, 4, 4), np.float32)
    with Workers(1) as workers, pytest.raises(ValueError, match="different numbers of groups"):
        multiply_boxes(two, three, three.copy(), whole(two), whole(three), whole(three), workers)


def test_packed_blocks_are_used_again_until_their_array_changes():
    left, right = np.ones((1, 4, 4), np.float32), np.ones((1, 4, 4), np.float32)
    out = np.zeros((1, 4, 4), np.float32)
    packings = Packings()

    def product() -> float:
        with Workers(1) as workers:
            multiply_boxes(left, right, out, whole(left), whole(right), whole(out), workers, packings=packings)
        assert (out == out[0, 0, 0]).all()
        return float(out[0, 0, 0])

    assert product() == 4.0
    right *= 2.0
    assert product() == 4.0
    packings.forget(left)
    left *= 3.0
    assert product() == 12.0
    packings.forget(right[:, 2:])
    assert product() == 24.0


def test_packed_blocks_of_other_boxes_or_arrays_are_not_used():
    rng = np.random.default_rng(2)
    packings = Packings()
    for left, right in [rng.integers(-4, 5, (2, 1, 40, 40)).astype(np.float32) for _ in range(3)]:
        for depth in (40, 30):
            for flip in (False, True):
                out = np.zeros((1, 40, 40), np.float32)
                left_box = np.array([[0, 1, 0, 40, 0, depth]])
                right_box = np.array([[0, 1, 0, 40, 0, depth] if flip else [0, 1, 0, depth, 0, 40]])
                with Workers(1) as workers:
                    multiply_boxes(
                        left,
                        right,
                        out,
                        left_box,
                        right_box,
                        whole(out),
                        workers,
                        transpose_right=flip,
                        packings=packings,
                    )
                factor = right[0].T if flip else right[0]
                assert np.array_equal(out[0], left[0, :, :depth] @ factor[:depth])


if __name__ == "__main__":
    from ipusim.kernels.tile_product import LANES

    sys.stdout.write(f"{LANES} {digest()}\n")
