"""Cycles that data needs to reach a tile."""

from __future__ import annotations

from ipusim.cost.arithmetic import ceil_div


def receive_cycles(n_bytes: int, sixteenths_per_cycle: int) -> int:
    """Return the cycles in which a tile receives `n_bytes`.

    Parameters
    ----------
    n_bytes : int
        Bytes that arrive.
    sixteenths_per_cycle : int
        Sixteen times the bytes per cycle, rounded; the fixed-point rate of the published estimator. Doubled where
        both tiles of a shared exchange bus receive the same data.

    Notes
    -----
    Source: poplibs lib/poplin/ExchangeEstimator.hpp (dense reference, section 1.2): no latency, no congestion.
    """
    return ceil_div(16 * n_bytes, sixteenths_per_cycle)


def rate_sixteenths(bytes_per_cycle: float) -> int:
    """Return an exchange rate in sixteenths of a byte per cycle, at least one."""
    return max(1, round(16 * bytes_per_cycle))
