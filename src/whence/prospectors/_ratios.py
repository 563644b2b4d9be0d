"""Holds the kernels made of ratios of frequencies: fold change and Dirichlet log-odds.

It does not know what is counted.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import special

from whence.prospectors._weights import (
    Weights,
    benjamini_hochberg,
    checked,
    discovered,
    positive,
    share,
    varying,
)
from whence.prospectors._welch import Moments, sides, welch_t

Floats = NDArray[np.float64]


def _tested(one: Moments, zero: Moments, varies: NDArray[np.bool_]) -> tuple[Floats, Floats]:
    """P-values `(p, c)` by Welch's t, as they are and adjusted."""
    t, freedom = welch_t(one, zero, 1e-12)
    p_values = np.where(varies, 2 * special.stdtr(freedom, -abs(t)), 1.0).T
    return p_values, benjamini_hochberg(p_values, varies)


@dataclass(frozen=True)
class FoldChange:
    """Log2 of how many times more frequent a feature is in one class than in the other.

    `log2((μ1 + a) / (μ0 + a))`, with pseudo-counts in proportion to the feature: `a` is `pseudo`
    times the mean of μ1 and μ0, so that no weight exceeds `log2(1 + 2 / pseudo)` and a feature
    seen once does not rule the map, as it does in `Paper` (there a is 1e-10). Standard errors by
    the delta method; p-values are those of Welch's t. `KERNELS["fold-change"]`.

    Attributes:
        pseudo: in shares of the feature's mean frequency.
        fdr: rate of false discoveries (Benjamini and Hochberg); others get weight 0; None keeps.

    Source:
        The fold-change kernel of Machiraju et al. (2024), arXiv 2402.11729; the pseudo-counts, the
        errors and the control of false discoveries are departures.
    """

    pseudo: float = 0.1
    fdr: float | None = None

    def __call__(self, frequencies: Floats, targets: Floats, /) -> Weights:
        """Weights `(p, c)` in bits, with errors and p-values.

        Raises:
            InputError: see `checked`; a pseudo or fdr out of range.
        """
        positive("pseudo", self.pseudo)
        share("fdr", self.fdr)
        x, y = checked(frequencies, targets, "fold-change")
        varies = varying(x)
        one, zero = sides(x, y)
        values, errors = (np.where(varies, a, 0.0).T for a in self._bits(one, zero))
        p_values, adjusted = _tested(one, zero, varies)
        return discovered(Weights(values, errors, p_values, adjusted), self.fdr)

    def resampled(self, frequencies: Floats, targets: Floats, times: Floats, /) -> Floats:
        """Weights' values `(R, p, c)`, without control of discoveries."""
        values, _ = self._bits(*sides(frequencies, targets, times))
        values = np.where(varying(frequencies), values, 0.0)
        return values.reshape(len(times), targets.shape[1], -1).transpose(0, 2, 1)

    def _bits(self, one: Moments, zero: Moments) -> tuple[Floats, Floats]:
        """Log ratios and their errors `(g, p)`; 0 for a feature that is nowhere."""
        least = np.finfo(np.float64).tiny
        pseudo = np.maximum(self.pseudo * (one.mean + zero.mean) / 2, least)
        a, b = np.maximum(one.mean, 0) + pseudo, np.maximum(zero.mean, 0) + pseudo
        # Relative deviations: squares of what soft codes leave of far concepts are out of range.
        spread = np.hypot(
            np.sqrt(one.variance / one.bags) / a, np.sqrt(zero.variance / zero.bags) / b
        )
        return np.log2(a) - np.log2(b), spread / np.log(2)


@dataclass(frozen=True)
class Dirichlet:
    """Log-odds ratio of a feature under a Dirichlet prior, over its standard error.

    `a_j = prior · (share of j in all counts)`, `L(c)_j = log((c_j + a_j) / (Σc + prior − c_j −
    a_j))`, `w = (L(c1) − L(c0)) / sqrt(1/(c1 + a) + 1/(c0 + a))`, where `c` sums the frequencies
    of the class's bags: every bag counts as one observation, however large it is, for its tokens
    are not independent. `KERNELS["dirichlet"]`.

    Weights are z scores, up to a factor: a bag's tokens do not make one observation exactly. So
    p-values are those of Welch's t, over bags.

    Attributes:
        prior: how many bags the prior counts as.
        fdr: rate of false discoveries (Benjamini and Hochberg); others get weight 0; None keeps.

    Source:
        Monroe, Colaresi and Quinn (2008), "Fightin' Words", informative Dirichlet prior; a bag as
        one observation is a departure.
    """

    prior: float = 100.0
    fdr: float | None = None

    def __call__(self, frequencies: Floats, targets: Floats, /) -> Weights:
        """Weights `(p, c)` with p-values.

        Raises:
            InputError: see `checked`; a prior or fdr out of range.
        """
        positive("prior", self.prior)
        share("fdr", self.fdr)
        x, y = checked(frequencies, targets, "dirichlet")
        varies = varying(x)
        values = self.resampled(x, y, np.ones((1, len(x))))[0]
        p_values, adjusted = _tested(*sides(x, y), varies)
        return discovered(Weights(values, None, p_values, adjusted), self.fdr)

    def resampled(self, frequencies: Floats, targets: Floats, times: Floats, /) -> Floats:
        """Weights' values `(R, p, c)`, without control of discoveries."""
        all_counts = (times @ frequencies)[:, None, :]
        ones = (times[:, None, :] * targets.T).reshape(-1, len(frequencies)) @ frequencies
        ones = ones.reshape(len(times), targets.shape[1], -1)
        z = self._z(ones, np.maximum(all_counts - ones, 0.0))
        return np.where(varying(frequencies), z, 0.0).transpose(0, 2, 1)

    def _z(self, ones: Floats, zeros: Floats) -> Floats:
        """Z scores `(R, c, p)` from both classes' counts; 0 for a feature that is nowhere."""
        both = ones + zeros
        total = both.sum(axis=-1, keepdims=True)
        added = self.prior * both / np.where(total > 0, total, 1.0)
        ones, zeros = ones + added, zeros + added
        with np.errstate(divide="ignore", invalid="ignore"):
            z = (_log_odds(ones) - _log_odds(zeros)) / np.sqrt(1 / ones + 1 / zeros)
        return np.where(both > 0, z, 0.0)


def _log_odds(counts: Floats) -> Floats:
    """Of counts with the prior added; where there is nothing else, against half a bag."""
    rest = counts.sum(axis=-1, keepdims=True) - counts
    return np.log(counts) - np.log(np.maximum(rest, 0.5))
