"""How a network's density is distributed over its layers: uniform, Erdős-Rényi (ER), or with kernels (ERK)."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from math import prod

from ipusim.errors import IpusimError

DISTRIBUTIONS = ("uniform", "er", "erk")


class DistributionError(IpusimError):
    """No densities of the layers give the density that is asked for."""


@dataclass(frozen=True, slots=True)
class WeightShape:
    """The weight of one layer.

    Attributes
    ----------
    name : str
    n_out, n_in : int
        Output and input channels (of a matrix: its two extents).
    kernel : tuple of int
        Extents of a convolution's kernel; empty for a matrix.
    """

    name: str
    n_out: int
    n_in: int
    kernel: tuple[int, ...] = ()

    @property
    def n_weights(self) -> int:
        """Number of weights of the dense layer."""
        return self.n_out * self.n_in * prod(self.kernel)


def layer_densities(
    weights: Sequence[WeightShape], density: float, distribution: str, dense: Collection[str] = ()
) -> Mapping[str, float]:
    """Return the density of every layer.

    Parameters
    ----------
    weights : sequence of WeightShape
    density : float
        Fraction of the weights that is kept, in (0, 1]: of all layers together for ``er`` and ``erk``, of each
        layer for ``uniform``.
    distribution : str
        One of :data:`DISTRIBUTIONS`.
    dense : collection of str
        Layers that stay dense. Of ``uniform`` they are no part of the density; the others must make up for them.

    Raises
    ------
    DistributionError
        The layers that stay dense alone have more weights than are to be kept.

    Notes
    -----
    ER keeps in each layer a share proportional to ``(n_in + n_out) / (n_in n_out)``; ERK counts the kernel, too:
    ``(n_in + n_out + k_h + k_w) / (n_in n_out k_h k_w)``. A layer whose share would be above 1 is dense, the largest
    first, and the others are computed anew. Source: Evci et al., "Rigging the Lottery", arXiv 1911.11134, section 3,
    and its published code (reference/sparse.md section 8.1).
    """
    if distribution == "uniform":
        return {each.name: 1.0 if each.name in dense else density for each in weights}
    kept = density * sum(each.n_weights for each in weights)
    raw = {each.name: _share(each, distribution == "erk") for each in weights}
    full = set(dense)
    while True:
        others = [each for each in weights if each.name not in full]
        left = kept - sum(each.n_weights for each in weights if each.name in full)
        if not others:
            return dict.fromkeys(raw, 1.0)
        if left <= 0:
            raise DistributionError(f"the layers that stay dense have more weights than the density {density:g} keeps")
        factor = left / sum(raw[each.name] * each.n_weights for each in others)
        largest = max(raw[each.name] for each in others)
        if factor * largest <= 1.0:
            return {each.name: 1.0 if each.name in full else factor * raw[each.name] for each in weights}
        full.update(each.name for each in others if raw[each.name] == largest)


def _share(weight: WeightShape, with_kernel: bool) -> float:
    """Return what the density of a layer is proportional to."""
    kernel = weight.kernel if with_kernel else ()
    return (weight.n_in + weight.n_out + sum(kernel)) / (weight.n_in * weight.n_out * prod(kernel))
