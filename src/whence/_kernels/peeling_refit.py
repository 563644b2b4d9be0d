"""Holds the refit of sets that were found: an L1 path on Gram matrices, judged fold by fold.

It does not know who found the sets. The Gram matrices are summed over chunks of masks, so memory
does not grow with their number.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from whence._kernels.gf2 import Ints
from whence._kernels.least_squares import parities

Floats = NDArray[np.float64]

#: Penalties: so many, from the least that empties the model down to this share of it (the paper's
#: grid), and then none at all.
PENALTIES, LEAST = 100, 1e-3
#: More columns than this are not refitted; the single units go first.
MOST_COLUMNS = 3000
#: Masks per chunk.
CHUNK = 4096
#: Errors below this share of the variance cannot be told from rounding, nor such coefficients.
ROUNDING = 1e-12


class Terms(NamedTuple):
    """Different sets with coefficients.

    Attributes:
        units: `(k, t)` increasing, padded with n.
        values: `(k,)`.
    """

    units: Ints
    values: Floats


@dataclass(frozen=True)
class Moments:
    """Weighted sums over samples; they add up and subtract.

    Attributes:
        weight: sum of weights.
        mean: `(k + 1,)` sums of the columns and of the target.
        gram: `(k + 1, k + 1)` products of the columns and the target, the target last.
        missed: squared error of the terms as they came.
    """

    weight: float
    mean: Floats
    gram: Floats
    missed: float

    def plus(self, other: Moments, sign: float = 1.0) -> Moments:
        """The sums over both, or over what is left without the other."""
        return Moments(
            self.weight + sign * other.weight,
            self.mean + sign * other.mean,
            self.gram + sign * other.gram,
            self.missed + sign * other.missed,
        )


def refit(
    terms: Terms, masks: NDArray[np.bool_], y: Floats, weights: Floats, group: Ints
) -> tuple[Terms, float | None]:
    """The terms and all single units, refitted by the lasso, if that predicts better.

    The penalty is chosen by cross-validation. The refit is kept only if its cross-validated error
    is below the error of the terms as they came, on the same rows. Those terms were decoded from
    all rows and the refit is judged on rows it did not see, so a close call keeps the terms.

    Departure from the paper: the path ends with no penalty at all, which a sparse and noiseless
    function needs; and where units and sets are too many, only the sets are refitted.

    Args:
        terms: sets and coefficients.
        masks: `(m, n)`.
        y: `(m,)` target.
        weights: `(m,)`.
        group: `(m,)` fold of every row, -1 for rows that are never left out.

    Returns:
        The better terms, and the share of the largest penalty, or None if nothing was refitted.

    Source:
        Kang et al. (2025), the last step of SPEX; Tibshirani (1996).
    """
    columns = _columns(terms, masks.shape[1])
    count = int(group.max(initial=-1)) + 1
    if len(columns.units) > MOST_COLUMNS or count < 2:
        return terms, None
    constant = float(terms.values[(terms.units == masks.shape[1]).all(axis=1)].sum())
    sums = [
        moments(columns, constant, masks[group == g], y[group == g], weights[group == g])
        for g in range(-1, count)
    ]
    total = sums[0]
    for part in sums[1:]:
        total = total.plus(part)
    ratios = np.append(np.geomspace(1.0, LEAST, PENALTIES), 0.0)
    losses = sum(loss(part, total.plus(part, -1.0), ratios) for part in sums[1:])
    before, size = sum(p.missed for p in sums[1:]), sum(p.gram[-1, -1] for p in sums[1:])
    at = int(np.argmin(losses))
    if max(float(np.asarray(losses)[at]), ROUNDING * size) >= before:
        return terms, None
    slopes, base = lasso_fits(total, ratios)
    found = slopes[:, at]
    kept = np.abs(found) > np.sqrt(ROUNDING) * np.abs(found).max(initial=0.0)
    none = np.full((1, columns.units.shape[1]), masks.shape[1])
    units = np.concatenate([none, columns.units[kept]])
    return Terms(units, np.append(base[at], found[kept])), float(ratios[at])


def _columns(terms: Terms, n: int) -> Terms:
    """The sets found, less the empty one, and all single units, while there is room for them."""
    some = (terms.units < n).any(axis=1)
    found = Terms(terms.units[some], terms.values[some])
    if n + len(found.units) > MOST_COLUMNS:
        return found
    singles = np.full((n, found.units.shape[1]), n)
    singles[:, 0] = np.arange(n)
    units, inverse = np.unique(np.concatenate([singles, found.units]), axis=0, return_inverse=True)
    values = np.zeros(len(units))
    np.add.at(values, inverse.reshape(-1), np.append(np.zeros(n), found.values))
    return Terms(units, values)


def moments(
    columns: Terms, constant: float, masks: NDArray[np.bool_], y: Floats, weights: Floats
) -> Moments:
    """The sums over samples; `missed` is with the columns' values and the constant."""
    k = len(columns.units)
    total = Moments(0.0, np.zeros(k + 1), np.zeros((k + 1, k + 1)), 0.0)
    for rows, x in _chunks(columns.units, masks):
        w, target = weights[rows], y[rows]
        left = target - constant - x @ columns.values
        joined = np.concatenate([x, target[:, None]], axis=1) * np.sqrt(w)[:, None]
        # Products of signs are whole numbers, exact in single precision, at half the price.
        gram = np.empty((k + 1, k + 1))
        single = joined[:, :k].astype(np.float32)
        gram[:k, :k] = single.T @ single
        gram[k] = gram[:, k] = joined.T @ joined[:, k]
        part = Moments(float(w.sum()), np.sqrt(w) @ joined, gram, float(w @ left**2))
        total = total.plus(part)
    return total


def _chunks(units: Ints, masks: NDArray[np.bool_]) -> Iterator[tuple[slice, Floats]]:
    n = masks.shape[1]
    indptr = np.concatenate([[0], np.cumsum((units < n).sum(axis=1))])
    for start in range(0, len(masks), CHUNK):
        rows = slice(start, start + CHUNK)
        yield rows, parities(masks[rows], indptr, units[units < n])


def lasso_fits(sums: Moments, ratios: Floats) -> tuple[Floats, Floats]:
    """Slopes `(k, ratios)` and constants `(ratios,)` of the lasso, from sums over the samples."""
    from scipy.linalg import solve_triangular
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.linear_model import lasso_path as typed_path

    # Its own annotations are read off the defaults, which are strings.
    lasso_path: Any = typed_path
    k = len(sums.mean) - 1
    mean = sums.mean / sums.weight
    centred = sums.gram - np.outer(sums.mean, mean)
    # Columns that the design cannot tell apart share a coefficient, rather than fail.
    gram = centred[:k, :k] + 1e-9 * sums.weight * np.eye(k)
    right = np.ascontiguousarray(centred[:k, k])
    root = np.linalg.cholesky(gram)
    target = solve_triangular(root, right, lower=True)
    slopes = np.zeros((k, len(ratios)))
    largest = float(np.abs(right).max(initial=0.0))
    if largest > 0:
        with warnings.catch_warnings():
            # Cross-validation judges what the small end of the path reached.
            warnings.simplefilter("ignore", ConvergenceWarning)
            # The triangular root stands for the columns: the same products, k rows instead of m.
            slopes[:, :-1] = lasso_path(
                root.T,
                target,
                alphas=ratios[:-1] * largest / k,
                precompute=gram,
                Xy=right,
                check_input=False,
                max_iter=300,
                random_state=0,
            )[1]
        slopes[:, -1] = solve_triangular(root.T, target)
    return slopes, mean[k] - mean[:k] @ slopes


def loss(left_out: Moments, rest: Moments, ratios: Floats) -> Floats:
    """Squared error on the left-out rows of every fit to the rest."""
    slopes, base = lasso_fits(rest, ratios)
    guess = np.concatenate([-slopes, np.ones((1, len(ratios)))])
    # The left-out rows' sum of (y - x b - c)^2, multiplied out.
    inner = np.einsum("ij,ij->j", guess, left_out.gram @ guess)
    return inner - 2.0 * base * (left_out.mean @ guess) + left_out.weight * base**2
