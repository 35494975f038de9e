from types import SimpleNamespace

from hypothesis import given, settings
from hypothesis import strategies as st

from ipusim.codelets import dynamic_slice_1d, dynamic_slice_2d, multi_slice, multi_update_add
from ipusim.codelets.registry import codelet
from ipusim.kernels.jit import compiled

CHIP = SimpleNamespace(worker_contexts=6, data_path_bytes=8)


def test_dynamic_slice_1d_by_hand() -> None:
    # 100 elements on 6 workers: 17 each, of which four whole vectors of four are charged.
    assert dynamic_slice_1d.vertex_cycles(100, 1, 4, 6) == 25 + 6 * (39 + 32)
    assert dynamic_slice_1d.vertex_cycles(100, 3, 2, 6) == 25 + 6 * (39 + 3 * 40)
    fields = {"region_elements": 100, "n_slices": 3}
    assert codelet("dynamic_slice_1d").cycles(fields, {"dtype": "float32"}, CHIP) == 25 + 6 * (39 + 3 * 40)


def test_dynamic_slice_2d_by_hand() -> None:
    assert dynamic_slice_2d.worker_cycles(2, 9, 3, True) == 27 + 2 * (34 * 3 + 13)
    assert dynamic_slice_2d.worker_cycles(2, 9, 3, False) == 27 + 2 * (37 * 3 + 13)
    fields = {"regions": 2, "region_elements": 9, "n_slices": 3}
    assert codelet("dynamic_slice_2d").cycles(fields, {"dtype": "float16"}, CHIP) == 6 * (27 + 2 * 124)
    assert codelet("dynamic_slice_2d").one_worker


def test_multi_slice_by_hand() -> None:
    assert multi_slice.worker_cycles(4, 2, 64, 2, False) == 30 + 4 * (19 + 64) + 16
    assert multi_slice.worker_cycles(4, 2, 64, 4, True) == 29 + 4 * (19 + 64) + 16
    assert multi_slice.worker_cycles(4, 2, 64, 1, False) == 30 + 4 * (19 + 48) + 16
    fields = {"in_range": 24, "out_of_range": 12, "row_elements": 64}
    assert codelet("multi_slice").cycles(fields, {"element_bytes": 2}, CHIP) == 6 * (30 + 4 * 83 + 16)


def test_multi_update_add_by_hand() -> None:
    assert multi_update_add.worker_cycles(3, 2, 10, 4, False) == 32 + 3 * (11 + 27) + 10
    assert multi_update_add.worker_cycles(3, 2, 10, 4, True) == 36 + 3 * (11 + 27) + 10
    assert multi_update_add.worker_cycles(3, 2, 10, 2, False) == 33 + 3 * (12 + 12) + 10
    assert multi_update_add.worker_cycles(3, 2, 10, 2, True) == 39 + 3 * (13 + 12) + 10
    fields = {"in_range": 3, "out_of_range": 2, "row_elements": 60}
    assert codelet("multi_update_add").cycles(fields, {"element_bytes": 4}, CHIP) == 6 * (32 + 3 * 38 + 10)


small = st.integers(1, 200)


@settings(max_examples=50, deadline=None)
@given(small, small, small, st.booleans(), st.sampled_from([2, 6]))
def test_compiled_equals_interpreted_and_more_work_is_never_quicker(
    a: int, b: int, c: int, flag: bool, workers: int
) -> None:
    for function, tail in (
        (dynamic_slice_1d.vertex_cycles, (b, 2, workers)),
        (dynamic_slice_2d.worker_cycles, (b, c, flag)),
        (multi_slice.vertex_cycles, (b, c, 2, flag, workers)),
        (multi_update_add.vertex_cycles, (b, c, 4, flag, workers)),
    ):
        cycles = function(a, *tail)
        assert compiled(function)(a, *tail) == cycles
        assert function(a + 12, *tail) > cycles
