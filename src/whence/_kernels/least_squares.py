"""Holds weighted least squares with many right-hand sides, and the matrix of parities.

It knows nothing of budgets or of which columns are worth fitting.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from whence._kernels.terms import Ints, tables

Floats = NDArray[np.float64]

#: A Cholesky pivot below this share of the largest means that columns are (nearly) dependent.
PIVOT = 1e-6


def parities(masks: NDArray[np.bool_], indptr: Ints, indices: Ints) -> Floats:
    """`(-1)^(number present in T)` for every mask and set: `(m, k)` floats."""
    sign = 1.0 - 2.0 * masks.T
    columns = np.empty((len(indptr) - 1, len(masks)))
    for size, rows, table in tables(indptr, indices):
        block = np.ones((len(rows), len(masks)))
        for d in range(size):
            block *= sign[table[:, d]]
        columns[rows] = block
    return columns.T


def solve(x: Floats, y: Floats, weights: Floats, ridge: Floats | None = None) -> Floats:
    """Coefficients `(k, q)` that minimise `sum_j w_j (y_j - x_j b)^2 + sum_i ridge_i b_i^2`.

    Args:
        x: `(m, k)` columns.
        y: `(m, q)` right-hand sides; all are solved with one factorisation.
        weights: `(m,)` non-negative.
        ridge: `(k,)` non-negative, or None for none.

    Returns:
        The minimiser; of several, the one of smallest norm.
    """
    gram = (x * weights[:, None]).T @ x
    right = x.T @ (weights[:, None] * y)
    if ridge is not None:
        gram[np.diag_indices_from(gram)] += ridge
    try:
        root = np.linalg.cholesky(gram)
    except np.linalg.LinAlgError:
        root = np.zeros((1, 1))
    if root.diagonal().min() > PIVOT * root.diagonal().max():
        return _floats(np.linalg.solve(root.T, np.linalg.solve(root, right)))
    scale = np.sqrt(weights)[:, None]
    rows, targets = x * scale, y * scale
    if ridge is not None:
        rows = np.concatenate([rows, np.diag(np.sqrt(ridge))])
        targets = np.concatenate([targets, np.zeros((len(ridge), y.shape[1]))])
    return _floats(np.linalg.lstsq(rows, targets, rcond=None)[0])


def solve_dual(x: Floats, y: Floats, weights: Floats, ridge: float) -> Floats:
    """As `solve` with the first column free and one ridge on all others, for many columns.

    Cost grows with m^2 k and m^3, not k^3: for more columns than rows.

    Args:
        x: `(m, k)`, its first column all ones.
        y: `(m, q)` right-hand sides.
        weights: `(m,)` non-negative.
        ridge: positive.
    """
    total = weights.sum()
    centre, mean = weights @ x[:, 1:] / total, weights @ y / total
    root = np.sqrt(weights)[:, None]
    rows, targets = (x[:, 1:] - centre) * root, (y - mean) * root
    kernel = rows @ rows.T
    kernel[np.diag_indices_from(kernel)] += ridge
    slopes = rows.T @ np.linalg.solve(kernel, targets)
    return np.concatenate([(mean - centre @ slopes)[None], slopes])


def solve_constrained(x: Floats, y: Floats, weights: Floats, a: Floats, b: Floats) -> Floats:
    """As `solve`, among the coefficients with `a @ beta == b` exactly.

    Args:
        x, y, weights: as in `solve`.
        a: `(c, k)` constraint rows, independent.
        b: `(c, q)` their right-hand sides.
    """
    q, r = np.linalg.qr(a.T, mode="complete")
    c = len(a)
    fixed = q[:, :c] @ np.linalg.solve(r[:c].T, b)
    if q.shape[1] == c:
        return _floats(fixed)
    free = _floats(q[:, c:])
    return _floats(fixed + free @ solve(x @ free, y - x @ fixed, weights))


def _floats(values: NDArray[np.floating]) -> Floats:
    return values.astype(np.float64, copy=False)
