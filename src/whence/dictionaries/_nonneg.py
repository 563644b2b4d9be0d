"""Holds least squares with non-negative unknowns for many tokens at once, exact for each.

It does not know what the vectors are, nor where they were learned.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import solve_triangular
from scipy.optimize import nnls

from whence.dictionaries._products import blockwise

Floats = NDArray[np.float64]

#: Added to the Gram matrix's diagonal, as a share of its mean, so that the answer is unique.
RIDGE = 1e-10

#: Signs are read with this tolerance, as a share of a token's largest product.
_TOLERANCE = 1e-10

#: Sweeps of coordinate descent that guess which unknowns are zero.
_SWEEPS = 8

#: Exchanges of whole sets; what has not settled by then is solved one by one.
_EXCHANGES = 12

#: Numbers in the stack of small systems that is solved at once.
_STACK = 1 << 20


def ridged(gram: Floats) -> Floats:
    """The Gram matrix with its small ridge."""
    return gram + (RIDGE * np.trace(gram) / len(gram) or RIDGE) * np.eye(len(gram))


def solved(gram: Floats, products: Floats) -> Floats:
    """The u >= 0 that minimise ½ uᵀ G u - uᵀ b, for every row b: `(n, k)`, each by itself.

    Args:
        gram: G `(k, k)`, positive definite (see `ridged`).
        products: `(n, k)`.

    Source:
        Block principal pivoting, Kim and Park (2011), started by coordinate descent; what it does
        not settle goes to Lawson and Hanson (1974). A row's answer does not depend on the others.
    """
    step = max(1, _STACK // gram.size)
    parts = [_solved(gram, products[s : s + step]) for s in range(0, len(products), step)]
    return np.concatenate(parts) if parts else np.zeros(products.shape)


def sweep(weights: Floats, gram: Floats, products: Floats) -> None:
    """One round of coordinate descent on non-negative weights `(n, k)`, in place.

    Source:
        HALS, Cichocki and Phan (2009).
    """
    for j in range(len(gram)):
        if gram[j, j] > 0:
            fresh = weights[:, j] + (products[:, j] - weights @ gram[:, j]) / gram[j, j]
            weights[:, j] = np.maximum(fresh, 0.0)


def _solved(gram: Floats, products: Floats) -> Floats:
    k = len(gram)
    free = _guess(gram, products)
    weights = np.zeros(products.shape)
    slack = _TOLERANCE * np.abs(products).max(axis=1, initial=0.0, keepdims=True)
    left = np.arange(len(products))
    for _ in range(_EXCHANGES):
        s = free[left]
        systems = np.where(s[:, :, None] & s[:, None, :], gram, np.eye(k))
        u = np.linalg.solve(systems, np.where(s, products[left], 0.0)[:, :, None])[:, :, 0]
        slope = blockwise(u, gram, np.zeros(k)) - products[left]
        wrong = np.where(s, u < -slack[left], slope < -slack[left])
        weights[left] = np.maximum(u, 0.0)
        free[left] = s ^ wrong
        left = left[wrong.any(axis=1)]
        if not len(left):
            return weights
    root = np.linalg.cholesky(gram)
    for row in left:
        target = solve_triangular(root, products[row], lower=True)
        weights[row] = nnls(root.T, target, maxiter=100 * k)[0]
    return weights


def _guess(gram: Floats, products: Floats) -> NDArray[np.bool_]:
    """Which unknowns are positive after a few sweeps from zero; row by row, without products."""
    u = np.zeros(products.shape, order="F")
    rest = np.array(products, order="F")
    for _ in range(_SWEEPS):
        for j in range(len(gram)):
            fresh = np.maximum(u[:, j] + rest[:, j] / gram[j, j], 0.0)
            moved = fresh - u[:, j]
            u[:, j] = fresh
            for i in range(len(gram)):
                rest[:, i] -= moved * gram[i, j]
    return u > 0
