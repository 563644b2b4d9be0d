"""Holds the sparse solver: an L1 path over terms of low degree, screened when they are many.

It does not know how the masks were drawn.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from math import comb
from typing import Any

import numpy as np
from numpy.typing import NDArray

from whence._kernels import terms as csr
from whence._kernels.least_squares import parities, solve
from whence.errors import BudgetError, InputError
from whence.samples import Samples
from whence.setfunction import SetFunction
from whence.solvers.low_degree import uniform_weights
from whence.solvers.paths import fed, tuned

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Lasso:
    """A sparse polynomial: L1-penalised least squares, the penalty chosen by cross-validation.

    All terms up to `degree` are candidates while they are at most `max_terms`; beyond that (only
    at degree 2) every single unit and the pairs that correlate best with what the units leave
    unexplained. That screen is one matrix product, so thousands of units are no obstacle.

    Attributes:
        degree: size of the largest set with a term.
        max_terms: the most candidate columns.
        penalties: points on the path, from the smallest penalty that empties the model down to
        least: this share of it. Each output has its own penalty.

    Source:
        Tibshirani (1996); screening: Fan and Lv (2008). The penalty by five-fold
        cross-validation: on exact games it beats GCV (docs/log.md).
    """

    degree: int = 2
    max_terms: int = 2000
    penalties: int = 24
    least: float = 3e-3

    def __post_init__(self) -> None:
        if min(self.degree, self.max_terms, self.penalties - 1) < 1 or not 0 < self.least < 1:
            raise InputError(
                f"degree={self.degree}, max_terms={self.max_terms}, penalties={self.penalties}, "
                f"least={self.least} came; they must be at least 1, 1, 2, and in (0, 1)."
            )

    def needs(self, n: int) -> int:
        """Eight samples: fewer leave nothing to choose a penalty with.

        Raises:
            BudgetError: a degree above 2 with more terms than `max_terms`.
        """
        terms = sum(comb(n, s) for s in range(1, self.degree + 1))
        if self.degree > 2 and terms > self.max_terms:
            raise BudgetError(
                f"Lasso(degree={self.degree}) has {terms:,} terms over {n} units and takes at most "
                f"max_terms={self.max_terms:,}. Raise max_terms, or use degree 2, which screens."
            )
        return 8

    def fit(self, samples: Samples) -> SetFunction:
        """The sparse polynomial, in the Fourier basis.

        Raises:
            BudgetError: fewer than eight samples, or too many terms.
        """
        return tuned(self, fed(self, samples, f"Lasso(degree={self.degree})"), 5)

    def path(self, samples: Samples) -> SetFunction:
        """Fits at every penalty; see `Path.path`."""
        weights = uniform_weights(samples.masks)
        mean = weights @ samples.columns / weights.sum()
        y = samples.columns - mean
        indptr, indices = self._candidates(samples.masks, y, weights)
        x = parities(samples.masks, indptr, indices)
        centre = weights @ x / weights.sum()
        coefficients = _paths(x - centre, y, weights, self.ratios)
        used = (coefficients != 0).any(axis=(1, 2))
        constant = mean[:, None] - np.tensordot(centre, coefficients, axes=1)
        found = SetFunction(samples.n, indptr, indices, coefficients).take(used)
        values = np.concatenate([constant[None], found.values])
        return SetFunction(
            samples.n,
            np.concatenate([[0], found.indptr]),
            found.indices,
            values.reshape(len(values), *samples.out, self.penalties),
        )

    def told(self, at: NDArray[np.intp]) -> str:
        """The lasso at the chosen penalties."""
        chosen = ", ".join(f"{self.ratios[a]:.1%}" for a in np.unique(at))
        return f"Lasso(degree={self.degree}) at {chosen} of the largest penalty"

    @property
    def ratios(self) -> Floats:
        """The penalties, as shares of the smallest one that empties the model; largest first."""
        return np.geomspace(1.0, self.least, self.penalties)

    def _candidates(
        self, masks: NDArray[np.bool_], y: Floats, weights: Floats
    ) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        n = masks.shape[1]
        degree = min(self.degree, n)
        if sum(comb(n, s) for s in range(1, degree + 1)) <= self.max_terms:
            indptr, indices = csr.all_sets(n, degree)
            return indptr[1:], indices
        singles = np.arange(n, dtype=np.int64)[:, None]
        if degree == 1:
            return csr.stack([singles])
        return csr.stack([singles, screen_pairs(masks, y, weights, self.max_terms)])


def screen_pairs(
    masks: NDArray[np.bool_], y: Floats, weights: Floats, count: int
) -> NDArray[np.int64]:
    """The pairs `(count, 2)` whose parity correlates best with what single units leave over.

    The correlation of every pair is one product, `Z^T diag(r) Z` for signs Z and residuals r;
    the score of a pair is its largest over outputs, each scaled by its residual's size.
    """
    sign = 1.0 - 2.0 * masks
    n = masks.shape[1]
    ridge = np.full(n, len(masks) / 10)
    residual = y - sign @ solve(sign.astype(np.float64), y, weights, ridge)
    score = np.zeros((n, n))
    for r in residual.T:
        size = np.sqrt((weights * r**2).sum())
        if size > 0:
            np.maximum(score, np.abs((sign * (weights * r)[:, None]).T @ sign) / size, out=score)
    first, second = np.triu_indices(n, 1)
    flat = score[first, second]
    best = np.sort(np.argsort(-flat, kind="stable")[:count])
    return np.stack([first[best], second[best]], axis=1).astype(np.int64)


def _paths(x: Floats, y: Floats, weights: Floats, ratios: Floats) -> Floats:
    """Lasso coefficients `(k, q, penalties)`; penalties are relative to each output's largest."""
    root = np.sqrt(weights)[:, None]
    rows, targets = x * root, y * root
    gram = rows.T @ rows if x.shape[1] <= 2 * len(x) else False
    found = np.zeros((x.shape[1], y.shape[1], len(ratios)))
    for j, target in enumerate(targets.T):
        if np.abs(target).max(initial=0.0) > 0:
            found[:, j] = _path(rows, target, gram, ratios)
    return found


def _path(x: Floats, y: Floats, gram: Floats | bool, ratios: Floats) -> Floats:
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.linear_model import lasso_path as typed_path

    # Its own annotations are read off the defaults, which are strings.
    lasso_path: Any = typed_path
    right = x.T @ y
    largest = np.abs(right).max() / len(x)
    found = np.zeros((x.shape[1], len(ratios)))
    if largest == 0:
        return found
    start = None
    with warnings.catch_warnings():
        # The small end of the path may stop early; cross-validation judges what it reached.
        warnings.simplefilter("ignore", ConvergenceWarning)
        for at in np.array_split(np.arange(len(ratios)), max(1, len(ratios) // 4)):
            # Unused with cyclic updates, but without a state it draws from the global one.
            _, path, _ = lasso_path(
                x,
                y,
                alphas=largest * ratios[at],
                precompute=gram,
                Xy=right,
                coef_init=start,
                max_iter=300,
                tol=1e-3,
                random_state=0,
            )
            found[:, at] = path
            start = path[:, -1]
            # The end of a path, where it nearly interpolates, is dear and never chosen.
            if (start != 0).sum() > 0.7 * len(x):
                found[:, at[-1] + 1 :] = start[:, None]
                break
    return found
