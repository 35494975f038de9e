"""Estimates of the small vertices around the dynamic sparse product: reduction, cast, zeroing.

These are the sparse planner's own, older formulas. The vertices that are executed are those of the dense reduction.
"""

from __future__ import annotations


def reduce_cycles(n_outputs: int, depth: int, float_output: bool, float_partials: bool, workers: int) -> int:
    """Return the estimated cycles of adding `depth` partials for each of `n_outputs` outputs of a tile.

    Source: reference/sparse.md section 2.6.
    """
    per_depth = 3 * depth
    slots = 32
    if float_partials:
        loops = n_outputs // 4 + n_outputs % 2 + n_outputs // 2 % 2
        remainder = n_outputs % 4
        rest = 2 * depth + 13
        per_loop = per_depth + (7 if float_output else 6)
    else:
        loops = n_outputs // 8 + n_outputs % 2 + n_outputs // 2 % 2 + n_outputs // 4 % 2
        remainder = n_outputs % 8
        rest = 2 * depth + 11
        per_loop = per_depth + (9 if float_output else 8)
    per_worker = loops // workers
    if loops % workers:
        if remainder:
            slots += rest
        else:
            per_worker += 1
    return workers * (slots + per_worker * per_loop)


def cast_cycles(n_outputs: int, partials_per_vector: int, outputs_per_vector: int, workers: int) -> int:
    """Return the estimated cycles of casting `n_outputs` partials on a tile (reference/sparse.md section 2.6)."""
    per_worker = (n_outputs + workers - 1) // workers
    loads = (per_worker + partials_per_vector - 1) // partials_per_vector
    stores = (per_worker + outputs_per_vector - 1) // outputs_per_vector
    return workers * (26 + max(loads, stores))


def zero_estimate_cycles(partials_per_worker: int, workers: int) -> int:
    """Return the planner's cycles of zeroing: one per partial, a quirk that decides between plans."""
    return workers * partials_per_worker


def zero_executed_cycles(n_partials: int, partials_per_vector: int, workers: int) -> int:
    """Return the cycles that zeroing `n_partials` partials takes on a tile: 14 slots and one store per 64 bits."""
    per_worker = (n_partials + workers - 1) // workers
    return workers * (14 + (per_worker + partials_per_vector - 1) // partials_per_vector)
