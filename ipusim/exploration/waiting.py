"""Waiting for simulations that another process has claimed."""

from __future__ import annotations

import time

from ipusim.exploration.store import Store

_PAUSE_S = 0.2


def wait_for_others(store: Store, keys: set[str]) -> tuple[set[str], set[str]]:
    """Wait a little; return what is left to this process after all, and what is still claimed by a living other."""
    time.sleep(_PAUSE_S)
    return store.claim(sorted(keys))
