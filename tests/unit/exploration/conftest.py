"""A small space, and what its store holds."""

import sqlite3

import pytest

import ipusim

MATMUL = {
    "name": "product",
    "tensors": {"w": {"shape": [64, 64]}, "x": {"shape": [64, 32]}},
    "ops": [{"op": "matmul", "inputs": ["w", "x"], "output": "y"}],
}

SMALL = {
    "name": "small",
    "chip": "tiny",
    "workloads": [MATMUL, {"workload": MATMUL, "name": "wide", "weight": 2, "set": {"tensors.x.shape": [64, 48]}}],
    "parameters": {
        "n_tiles": [2, 4, 8],
        "sync_cycles": [10, 20, 30, 40],
        "tile_sram_bytes": "64 KiB / n_tiles",
        "workload.wide.seed": [1, 2],
    },
    "constraints": ["sync_cycles * n_tiles < 300", "cycles < 176160"],
    "objectives": ["cycles", "total_bytes"],
}


@pytest.fixture
def small():
    return SMALL


def contents(path):
    """Return everything in a store that must not depend on how it came about."""
    connection = sqlite3.connect(path)
    try:
        tables = [
            connection.execute(f"SELECT * FROM {table} ORDER BY 1, 2").fetchall()
            for table in ("results", "points", "spaces")
        ]
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        return tables
    finally:
        connection.close()


@pytest.fixture(name="contents")
def _contents():
    return contents


@pytest.fixture(scope="session")
def undisturbed(tmp_path_factory):
    """Return the exploration of the small space without any trouble, and its store's contents."""
    path = tmp_path_factory.mktemp("undisturbed") / "store.sqlite"
    explored = ipusim.explore(SMALL, store=path, workers=1)
    return explored, contents(path)
