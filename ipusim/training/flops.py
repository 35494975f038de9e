"""Arithmetic of training and inference, relative to dense, of the methods of sparse training.

A pass forward takes ``f``; the backward pass takes ``2 f``: the gradients of operands and of weights. Source: Evci et
al., "Rigging the Lottery", arXiv 1911.11134, appendix (reference/sparse.md section 8.1).
"""

from __future__ import annotations

from collections.abc import Mapping

from ipusim.training.topology import PruneSchedule

METHODS = ("dense", "static", "prune", "set", "rigl", "snfs")
"""Methods whose arithmetic is known."""


def forward_fraction(densities: Mapping[str, float], forward_flops: Mapping[str, float]) -> float:
    """Return the arithmetic of the sparse forward pass over that of the dense one.

    Parameters
    ----------
    densities : mapping of str to float
        Of each layer; layers that are not named are dense.
    forward_flops : mapping of str to float
        Of each layer, dense; and of what else is to be counted, such as biases.
    """
    kept = sum(densities.get(name, 1.0) * flops for name, flops in forward_flops.items())
    return kept / sum(forward_flops.values())


def training_fraction(
    method: str, fraction: float, update_every: int = 100, schedule: PruneSchedule | None = None
) -> float:
    """Return the arithmetic of one training step over that of a dense one, on average over the training.

    Parameters
    ----------
    method : str
        One of :data:`METHODS`.
    fraction : float
        Of the sparse forward pass over the dense one (:func:`forward_fraction`).
    update_every : int
        Steps between two changes of the connections (ΔT).
    schedule : PruneSchedule, optional
        Of ``prune``; that of the published runs by default.

    Notes
    -----
    In units of the dense step, ``3 f_dense``: static and SET ``3 f_s``; SNFS ``2 f_s + f_d``, for it forms dense
    gradients of weights in every step; RigL ``(3 f_s ΔT + 2 f_s + f_d) / (ΔT + 1)``, for it does so once in ΔT + 1.
    """
    if method == "dense":
        return 1.0
    if method in ("static", "set"):
        return fraction
    if method == "snfs":
        return (2.0 * fraction + 1.0) / 3.0
    if method == "rigl":
        return (3.0 * fraction * update_every + 2.0 * fraction + 1.0) / (3.0 * (update_every + 1))
    plan = schedule or PruneSchedule()
    lost = sum(plan.share(step) for step in range(plan.steps)) / plan.steps
    return 1.0 - lost * (1.0 - fraction)


def stored_bytes(n_weights: int, n_kept: int, n_dense: int = 0, weight_bytes: int = 4) -> float:
    """Return the bytes of a stored sparse model: the kept weights, and a bit for every position of a sparse layer.

    Parameters
    ----------
    n_weights : int
        Positions of the sparse layers.
    n_kept : int
        Weights kept in them.
    n_dense : int
        Further parameters that are stored without a mask.
    weight_bytes : int

    Notes
    -----
    Source: the size model of the published code (reference/sparse.md section 8.2).
    """
    return weight_bytes * (n_kept + n_dense) + n_weights / 8
