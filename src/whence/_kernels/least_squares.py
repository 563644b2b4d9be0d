"""Holds weighted least squares with many right-hand sides, and the matrix of parities.

It knows nothing of budgets or of which columns are worth fitting.
"""

from __future__ import annotations

from collections.abc import Sequence

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


def ridge_path(
    x: Floats, y: Floats, weights: Floats, scale: Floats, strengths: Sequence[float]
) -> Floats:
    """Ridge fits at several strengths, with a free constant: `(strengths, 1 + k, q)`.

    Each minimises `sum_j w_j (y_j - b_0 - x_j b)^2 + strength * sum_i b_i^2 / scale_i`. The
    smaller of the two Gram matrices is made once: cost grows with `m k min(m, k)`.

    Args:
        x: `(m, k)` columns, without a constant.
        y: `(m, q)` right-hand sides.
        weights: `(m,)` non-negative.
        scale: `(k,)` positive prior variances.
        strengths: positive.

    Returns:
        For each strength the constant, then the coefficients.
    """
    total = weights.sum()
    centre, mean = weights @ x / total, weights @ y / total
    root, spread = np.sqrt(weights)[:, None], np.sqrt(scale)
    rows, targets = (x - centre) * root * spread, (y - mean) * root
    wide = x.shape[1] > len(x)
    gram = rows @ rows.T if wide else rows.T @ rows
    right = targets if wide else rows.T @ targets
    fits: list[Floats] = []
    for strength in strengths:
        solved = np.linalg.solve(gram + strength * np.eye(len(gram)), right)
        slopes = spread[:, None] * (rows.T @ solved if wide else solved)
        fits.append(_floats(np.concatenate([(mean - centre @ slopes)[None], slopes])))
    return np.stack(fits)


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
