"""Rows of the packaged measurements."""

from __future__ import annotations

import csv
import json
from collections.abc import Sequence
from fractions import Fraction
from functools import cache
from importlib.resources import files

from ipusim.validation.cases import DENSE, DYNAMIC, STATIC, Case

POPSPARSE = "PopSparse benchmark on one Bow IPU (arXiv 2303.16999), read off the published plots"
NOTEBOOK = "SpMM notebook of graphcore-research, wall clock of a loop in a framework"
FORMATS = {"FP16": "float16", "FP32": "float32"}
METHODS = {"dense": DENSE, "static_sparse": STATIC, "dynamic_sparse": DYNAMIC}

Row = dict[str, str]


@cache
def _rows(name: str = "bow_matmul_measured.csv") -> tuple[Row, ...]:
    with (files("ipusim.validation") / "data" / name).open() as file:
        return tuple(csv.DictReader(file))


def bow_rows(source: str, method: str | None = None) -> list[Row]:
    """Return the rows measured on a Bow whose source ends so, of one method or of all."""
    return [
        row
        for row in _rows()
        if row["device"] == "bow_ipu" and row["source"].endswith(source) and method in (None, METHODS[row["method"]])
    ]


def amp_vertex_cycles() -> dict[int, int]:
    """Return the measured cycles of one AMP vertex by its number of rows."""
    text = (files("ipusim.validation") / "data" / "amp_vertex_measured.json").read_text()
    return {int(rows): int(cycles) for rows, cycles in json.loads(text).items()}


def tile_kernel_rows() -> tuple[Row, ...]:
    """Return the measured kernels of one tile."""
    return _rows("single_tile_measured.csv")


def stencil_rows() -> tuple[Row, ...]:
    """Return the measured runs of a stencil and their phases."""
    return _rows("stencil_measured.csv")


def case_of(row: Row, n: int) -> Case:
    """Return the case of a row at `n` columns."""
    method, m = METHODS[row["method"]], int(row["m"])
    if method == DENSE:
        return Case(DENSE, FORMATS[row["dtype"]], m, n)
    return Case(method, FORMATS[row["dtype"]], m, n, int(row["block_size"]), Fraction(row["density"]))


def label_of(row: Row) -> str:
    """Return what a row is, in a few words."""
    words = [METHODS[row["method"]], FORMATS[row["dtype"]], f"m {row['m']}"]
    if row["n"]:
        words.append(f"n {row['n']}")
    if row["block_size"]:
        words += [f"b {row['block_size']}", f"d {Fraction(row['density'])}"]
    return " ".join(words)


def swept(row: Row, batches: Sequence[int]) -> tuple[Case, ...]:
    """Return the cases of a row that is the best over the columns."""
    return tuple(case_of(row, n) for n in batches)
