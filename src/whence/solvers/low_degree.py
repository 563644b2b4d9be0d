"""Holds least squares on every term up to a degree, under uniform, Shapley or LIME weights.

It does not know how the masks were drawn, beyond what their sizes say.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import comb
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from whence._kernels import terms as csr
from whence._kernels.least_squares import parities, ridge_path, solve, solve_constrained
from whence.errors import BudgetError, InputError
from whence.samples import Samples, ends_of
from whence.setfunction import SetFunction

Floats = NDArray[np.float64]

#: More terms than this are refused: their normal equations alone would take gigabytes.
MAX_TERMS = 12_000


@dataclass(frozen=True)
class LowDegree:
    """The polynomial of a degree that is closest to the samples.

    Attributes:
        degree: size of the largest set with a term.
        weights: "uniform" approximates Faith-Banzhaf values (degree 1: Banzhaf), "shapley"
            Faith-Shap values (degree 1: Shapley values, i.e. Kernel SHAP), "lime" is LIME's
            exponential kernel on the cosine distance to the full mask.
        ridge: penalty on every term but the constant, in samples.
    """

    degree: int = 1
    weights: Literal["uniform", "shapley", "lime"] = "uniform"
    ridge: float = 0.0

    def __post_init__(self) -> None:
        if self.weights not in ("uniform", "shapley", "lime"):
            raise InputError(
                f"weights={self.weights!r} came; they are 'uniform', 'shapley' or 'lime'."
            )
        if self.degree < 1 or self.ridge < 0:
            raise InputError(
                f"degree={self.degree}, ridge={self.ridge} came; the degree is at least 1 and the "
                "ridge not negative."
            )

    def needs(self, n: int) -> int:
        """The number of terms, and the two ends; 4 with a ridge.

        Shapley weights go with masks in complementary pairs. A pair says one thing of the terms of
        even size and one of those of odd size, so as many pairs as the more of the two are needed.

        Raises:
            BudgetError: more terms than can be fitted at once.
        """
        terms = self.terms(n)
        if terms > MAX_TERMS:
            raise BudgetError(
                f"LowDegree(degree={self.degree}) has {terms:,} terms over {n} units and fits at "
                f"most {MAX_TERMS:,}. Lower the degree, cut coarser units, or use a sparse solver."
            )
        if self.ridge > 0:
            return 4
        if self.weights != "shapley":
            return terms + 2
        odd = sum(comb(n, s) for s in range(1, min(self.degree, n) + 1, 2))
        return max(terms + 2, 2 * odd, 2 * (terms - odd))

    def terms(self, n: int) -> int:
        """Number of sets of at most `degree` of n units."""
        return sum(comb(n, s) for s in range(min(self.degree, n) + 1))

    def fit(self, samples: Samples) -> SetFunction:
        """The weighted least-squares polynomial, in the Fourier basis.

        Raises:
            BudgetError: fewer samples than terms.
        """
        samples = samples.distinct()
        n, m = samples.n, len(samples)
        if m < min(self.needs(n), 2**n):
            raise BudgetError(
                f"LowDegree(degree={self.degree}) fits {self.terms(n)} terms over {n} units and "
                f"was given {m} samples. Raise the budget to at least {self.needs(n)}, lower the "
                "degree, or use a sparse solver."
            )
        indptr, indices = csr.all_sets(n, self.degree)
        x = parities(samples.masks, indptr, indices)
        values = self._solve(x, samples, indptr).reshape(-1, *samples.out)
        return SetFunction(n, indptr, indices, values, fitted_by=repr(self))

    def _solve(self, x: Floats, samples: Samples, indptr: NDArray[np.int64]) -> Floats:
        y = samples.columns
        if self.weights != "shapley":
            weigh = lime_weights if self.weights == "lime" else uniform_weights
            weights = weigh(samples.masks)
            if self.ridge and x.shape[1] > len(x):
                flat = np.ones(x.shape[1] - 1)
                return ridge_path(x[:, 1:], y, weights, flat, [self.ridge])[0]
            ridge = np.where(csr.sizes(indptr) > 0, self.ridge, 0.0) if self.ridge else None
            return solve(x, y, weights, ridge)
        ends = ends_of(samples)
        if ends.sum() < 2:
            raise BudgetError(
                "Shapley weights hold the fit to the values of the full and the empty mask, and "
                "one of them is missing. Add both to the samples (explain does)."
            )
        weights = shapley_weights(samples.masks[~ends])
        return solve_constrained(x[~ends], y[~ends], weights, x[ends], y[ends])


def uniform_weights(masks: NDArray[np.bool_]) -> Floats:
    """Weights that make m distinct masks, the two ends always among them, stand for all masks.

    The ends are in every sample, others with chance m / 2^n, so they count for that much less
    (Horvitz-Thompson): an outlier at an end must not bend a small fit.
    """
    m, n = masks.shape
    size = masks.sum(axis=1)
    share = min(1.0, max(m - 2, 0) / max(2.0 ** min(n, 1000) - 2, 1.0))
    return np.where((size == 0) | (size == n), share, 1.0)


def shapley_weights(masks: NDArray[np.bool_]) -> Floats:
    """Shapley kernel weights, corrected for how many masks of each size were drawn.

    All masks of size s together weigh `1 / (s (n - s))`; each of the `m_s` drawn gets an equal
    part of it. Scaled to mean one. No row may be empty or full.
    """
    n = masks.shape[1]
    size = masks.sum(axis=1)
    drawn = np.bincount(size, minlength=n + 1)
    weights = 1.0 / (size * (n - size) * drawn[size])
    return weights / weights.mean()


def lime_weights(masks: NDArray[np.bool_], width: float = 25.0) -> Floats:
    """LIME's text kernel: `sqrt(exp(-(100 d / width)^2))`, d the cosine distance to all present.

    Source:
        Ribeiro, Singh and Guestrin (2016), and the defaults of the lime package for text.
    """
    distance = 100.0 * (1.0 - np.sqrt(masks.mean(axis=1)))
    return np.sqrt(np.exp(-((distance / width) ** 2)))
