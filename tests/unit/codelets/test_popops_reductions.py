import csv
from pathlib import Path
from types import SimpleNamespace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ipusim.codelets import reduce_continuous, reduce_general_2d, reduce_single_input, reduce_strided
from ipusim.codelets.registry import codelet
from ipusim.kernels.jit import compiled

VECTORS = Path(__file__).parents[2] / "data" / "vectors" / "reduce.csv"
ROWS = [row for row in csv.DictReader(VECTORS.open()) if not row["kind"].startswith("poplin")]


def _rows(kind: str) -> list[dict[str, str]]:
    return [row for row in ROWS if row["kind"] == kind]


def _flags(row: dict[str, str], *names: str) -> list[bool]:
    return [row[name] == "1" for name in names]


def _is_add(row: dict[str, str]) -> bool:
    return row["op"] in ("ADD", "SQUARE_ADD")


def test_every_row_belongs_to_a_test() -> None:
    counts = {kind: len(_rows(kind)) for kind in {row["kind"] for row in ROWS}}
    assert counts == {"strided": 30, "single_input_all": 20, "continuous": 20, "general2d": 20}


@pytest.mark.parametrize("row", _rows("strided"), ids=lambda row: f"{row['op']}-{row['num_outputs']}")
def test_strided(row: dict[str, str]) -> None:
    numbers = [int(row[name]) for name in ("num_outputs", "depth_or_partials", "stride", "outer_strides")]
    flags = _flags(row, "partials_float", "out_float", "fast_or_interleaved")
    (update,) = _flags(row, "update")
    cycles = reduce_strided.worker_cycles(*numbers, *flags, _is_add(row), row["op"] == "LOG_ADD", update)
    assert cycles == int(row["cycles"])


@pytest.mark.parametrize("row", _rows("single_input_all"), ids=lambda row: row["depth_or_partials"])
def test_single_input(row: dict[str, str]) -> None:
    flags = _flags(row, "partials_float", "out_float", "fast_or_interleaved")
    cycles = reduce_single_input.worker_cycles(int(row["depth_or_partials"]), *flags, _is_add(row))
    assert cycles == int(row["cycles"])


@pytest.mark.parametrize("row", _rows("continuous"), ids=lambda row: f"{row['num_outputs']}-{row['depth_or_partials']}")
def test_continuous(row: dict[str, str]) -> None:
    flags = _flags(row, "partials_float", "fast_or_interleaved", "update")
    cycles = reduce_continuous.worker_cycles(int(row["num_outputs"]), int(row["depth_or_partials"]), *flags)
    assert cycles == int(row["cycles"])


@pytest.mark.parametrize("row", _rows("general2d"), ids=lambda row: row["cycles"])
def test_general_2d(row: dict[str, str]) -> None:
    flags = _flags(row, "partials_float", "out_float", "fast_or_interleaved")
    (update,) = _flags(row, "update")
    total = 0
    for region in row["regions(width:accumulations_per_region|)"].split("|")[:-1]:
        width, rows = region.split(":")
        accumulations = [int(word) for word in rows.split()]
        total += reduce_general_2d.output_cycles(
            int(width), len(accumulations), sum(accumulations), *flags, _is_add(row), update
        )
    assert reduce_general_2d.worker_cycles(total) == int(row["cycles"])


CHIP = SimpleNamespace(worker_contexts=6, data_path_bytes=8)
FORMATS = {"partials": "float16", "output": "float32", "op": "add"}


def test_whole_vectors_are_shared_by_the_workers() -> None:
    assert reduce_strided.worker_outputs(100, True, 6) == 18
    assert reduce_strided.worker_outputs(1, False, 6) == 4
    fields = {"outputs": 100, "partials": 7, "stride": 100, "outer_strides": 1}
    expected = 6 * reduce_strided.worker_cycles(18, 7, 100, 1, False, True, False, True, False, False)
    assert codelet("reduce_strided").cycles(fields, FORMATS, CHIP) == expected


def test_registered_vertices_of_one_worker() -> None:
    single = codelet("reduce_single_input")
    expected = 6 * reduce_single_input.worker_cycles(100, False, True, False, False)
    assert single.cycles({"elements": 100}, {**FORMATS, "op": "max"}, CHIP) == expected
    continuous = codelet("reduce_continuous")
    settings = {**FORMATS, "interleaved": True, "update": True}
    expected = 6 * reduce_continuous.worker_cycles(3, 50, False, True, True)
    assert continuous.cycles({"outputs": 3, "partials": 50}, settings, CHIP) == expected
    general = codelet("reduce_general_2d")
    one = reduce_general_2d.output_cycles(20, 2, 5, False, True, False, True, False)
    fields = {"outputs": 3, "width": 20, "regions": 2, "rows": 5}
    assert general.cycles(fields, FORMATS, CHIP) == 6 * (33 + 3 * one)
    assert single.one_worker
    assert continuous.one_worker
    assert general.one_worker


numbers = st.integers(1, 300)
flag = st.booleans()


@settings(max_examples=50, deadline=None)
@given(numbers, numbers, st.integers(1, 50), st.tuples(flag, flag, flag, flag, flag))
def test_compiled_equals_interpreted(a: int, b: int, c: int, flags: tuple[bool, ...]) -> None:
    strided = (a, b, 2 * c, 3, flags[0], flags[1], flags[2], flags[3], not flags[3] and flags[4], flags[4])
    assert compiled(reduce_strided.worker_cycles)(*strided) == reduce_strided.worker_cycles(*strided)
    single = (a, *flags[:4])
    assert compiled(reduce_single_input.worker_cycles)(*single) == reduce_single_input.worker_cycles(*single)
    continuous = (a, b, *flags[:3])
    assert compiled(reduce_continuous.worker_cycles)(*continuous) == reduce_continuous.worker_cycles(*continuous)
    general = (a, c, b, *flags)
    assert compiled(reduce_general_2d.output_cycles)(*general) == reduce_general_2d.output_cycles(*general)


@settings(max_examples=50, deadline=None)
@given(numbers, numbers, st.integers(1, 50), st.tuples(flag, flag, flag, flag, flag))
def test_more_work_takes_longer(outputs: int, partials: int, c: int, flags: tuple[bool, ...]) -> None:
    def strided(outputs: int, partials: int) -> int:
        log_add = not flags[3] and flags[4]
        return reduce_strided.worker_cycles(outputs, partials, 8, 2, *flags[:4], log_add, flags[4])

    assert strided(outputs + 8, partials) > strided(outputs, partials)
    assert strided(outputs, partials + 1) > strided(outputs, partials)

    def general(width: int, rows: int) -> int:
        return reduce_general_2d.output_cycles(width, c, rows, *flags)

    assert general(outputs + 8, partials) > general(outputs, partials)
    assert general(outputs, partials + 1) > general(outputs, partials)
