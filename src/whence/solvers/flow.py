"""Holds the Monte Carlo solver for Shapley values: marginal contributions along chains of masks.

It does not know how the chains were drawn.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from whence._kernels import terms as csr
from whence.errors import BudgetError
from whence.masks import keys
from whence.samples import Samples
from whence.setfunction import SetFunction

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class ShapleyFlow:
    """Shapley values as expected marginal contributions, in a function of degree 1.

    The sampled masks form a graph: an edge adds one unit. One unit of flow goes from the empty to
    the full mask, divided equally at every mask among its edges that lead on. The value of a unit
    is the flow-weighted sum of its marginal contributions. With chains that share no mask this is
    the mean over permutations; shared masks are averaged better; with all masks it is exact. The
    values always add up to f(all) - f(none). Samples on no chain are not used.

    Source:
        Castro, Gomez and Tejada (2009) for the estimator over permutations.
    """

    def needs(self, n: int) -> int:
        """One chain with both ends: n + 1."""
        return n + 1

    def fit(self, samples: Samples) -> SetFunction:
        """The degree-1 function with these Shapley values, held to the value of the empty mask.

        Raises:
            BudgetError: no chain from the empty to the full mask among the samples.
        """
        samples = samples.distinct()
        n = samples.n
        edges = _edges_on_chains(samples)
        if len(edges) == 0:
            raise BudgetError(
                f"no chain of masks from empty to full is among the {len(samples)} samples; "
                f"permutation sampling needs {self.needs(n)} masks per order. Raise the budget, "
                "or use the sampler Chains."
            )
        parts, shares = _values_by_first_unit(samples, edges)
        values = np.tensordot(shares, parts, axes=1)
        return _additive(samples, values, parts, shares, repr(self))


def _additive(
    samples: Samples, phi: Floats, parts: Floats, shares: Floats, fitted_by: str
) -> SetFunction:
    """`f(S) = f(none) + sum of phi over S`, in the Fourier basis, with deviations per part."""
    n = samples.n
    none = samples.columns[samples.masks.sum(axis=1) == 0][0]
    to_fourier = np.concatenate([np.full((1, n), 0.5), -0.5 * np.eye(n)])
    values = to_fourier @ phi
    values[0] += none
    deviations = None
    if len(parts) > 1:
        scale = np.sqrt(shares * len(parts) / (len(parts) - 1) / len(parts))
        spread = scale[:, None, None] * (parts - phi)
        deviations = (to_fourier @ spread).reshape(len(parts), n + 1, *samples.out)
    indptr, indices = csr.all_sets(n, 1)
    return SetFunction(
        n, indptr, indices, values.reshape(n + 1, *samples.out), "fourier", deviations, fitted_by
    )


def _edges_on_chains(samples: Samples) -> NDArray[np.int64]:
    """Edges `(e, 3)`: from row, to row, unit added; only those on a chain from empty to full."""
    masks = samples.masks
    m, n = masks.shape
    rank = {key.tobytes(): row for row, key in enumerate(keys(masks))}
    bits = np.packbits(np.eye(n, dtype=np.bool_), axis=1, bitorder="little")
    packed = np.packbits(masks, axis=1, bitorder="little")
    found = [
        (row, rank[step], unit)
        for row in range(m)
        for unit in np.flatnonzero(~masks[row])
        if (step := (packed[row] | bits[unit]).tobytes()) in rank
    ]
    edges = np.array(found, dtype=np.int64).reshape(-1, 3)
    size = masks.sum(axis=1)
    reaches, reached = size == n, size == 0
    for s in range(n - 1, -1, -1):
        layer = edges[size[edges[:, 0]] == s]
        reaches[layer[reaches[layer[:, 1]], 0]] = True
    for s in range(n):
        layer = edges[size[edges[:, 0]] == s]
        reached[layer[reached[layer[:, 0]], 1]] = True
    alive = reaches & reached
    return edges[alive[edges[:, 0]] & alive[edges[:, 1]]]


def _values_by_first_unit(samples: Samples, edges: NDArray[np.int64]) -> tuple[Floats, Floats]:
    """Shapley estimates `(p, n, q)` of the flow through each first unit, and shares `(p,)`."""
    size = samples.masks.sum(axis=1)
    n, q = samples.n, samples.columns.shape[1]
    first = edges[size[edges[:, 0]] == 0]
    flow = np.zeros((len(samples), len(first)))
    flow[first[:, 1], np.arange(len(first))] = 1.0
    degree = np.maximum(np.bincount(edges[:, 0], minlength=len(samples)), 1)
    parts = np.zeros((len(first), n, q))
    gain = samples.columns[edges[:, 1]] - samples.columns[edges[:, 0]]
    parts[np.arange(len(first)), first[:, 2]] = gain[size[edges[:, 0]] == 0]
    for s in range(1, n):
        layer = size[edges[:, 0]] == s
        here = edges[layer]
        pushed = flow[here[:, 0]] / degree[here[:, 0], None]
        np.add.at(flow, here[:, 1], pushed)
        np.add.at(
            parts.transpose(1, 0, 2), here[:, 2], pushed[:, :, None] * gain[layer][:, None, :]
        )
    return parts, np.full(len(first), 1.0 / len(first))
