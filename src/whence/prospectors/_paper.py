"""Holds the fold-change kernel as published, and the TF-IDF that it is made on.

It does not know what is counted.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.stats import mannwhitneyu

from whence.errors import InputError
from whence.prospectors._weights import Weights, checked, positive

Floats = NDArray[np.float64]

#: Added to both class means, in TF-IDF.
ADDED = 1e-10
#: With so few bags in a class, and no ties, the published test is exact.
FEW = 8


@dataclass(frozen=True)
class Paper:
    """The "inferential" kernel as published, its defects kept: for comparison, not for use.

    `log2((μ1 + 1e-10) / (μ0 + 1e-10))` of the class means of TF-IDF, kept where the Mann-Whitney
    test's p-value times the number of features (at most 1) is at most alpha and the weight is at
    least tau in magnitude, else 0.

    - A feature that one class never has gets about ±20 to 25 bits, were it seen once only.
    - Bonferroni over hundreds of features often leaves none: a constant map.
    - A feature in all but one bag has idf 0, and weight 0; otherwise idf cancels.

    With alpha at 1, the default, there is no test; most of the published models ran so.
    `KERNELS["paper"]`.

    Attributes:
        tau: least magnitude of a weight, in bits; published: 0, 1, 2 and 4.
        alpha: level of the test; published: .01, .025, .05, 1 and 1e10.

    Source:
        Machiraju et al. (2024), arXiv 2402.11729, and its released code's conventions; equal to a
        brute-force oracle in tests/prospectors/test_paper_kernel.py.
    """

    tau: float = 0.0
    alpha: float = 1.0

    def __call__(self, frequencies: Floats, targets: Floats, /) -> Weights:
        """Weights `(p, c)` in bits, with Mann-Whitney p-values.

        Raises:
            InputError: see `checked`; a tau or alpha out of range.
        """
        positive("alpha", self.alpha)
        if not 0 <= self.tau < np.inf:
            raise InputError(f"tau={self.tau} came; it is a number of bits, at least 0.")
        x, y = checked(frequencies, targets, "paper")
        scores = tf_idf(x)
        columns = [self._column(scores, column == 1) for column in y.T]
        values, p_values, adjusted = (np.stack(part, axis=1) for part in zip(*columns, strict=True))
        return Weights(values, None, p_values, adjusted)

    def _column(self, scores: Floats, one: NDArray[np.bool_]) -> tuple[Floats, Floats, Floats]:
        a, b = scores[one], scores[~one]
        ratio = (a.mean(axis=0) + ADDED) / (b.mean(axis=0) + ADDED)
        # A concept that all bags have is below 0; so near 0 that what is added decides, and on one
        # side only, it has no logarithm, and says nothing.
        values = np.log2(ratio, out=np.zeros_like(ratio), where=ratio > 0)
        p_values = mann_whitney(a, b)
        adjusted = np.minimum(p_values * len(p_values), 1.0)
        kept = (adjusted <= self.alpha) & (abs(values) >= self.tau)
        return np.where(kept, values, 0.0), p_values, adjusted


def tf_idf(frequencies: Floats) -> Floats:
    """Frequencies `(b, p)`, made to sum to 1 in every bag, times `log(b / (1 + df))`.

    df is the number of bags that have the feature; the factor is negative where all do.
    """
    totals = frequencies.sum(axis=1, keepdims=True)
    # Dividing by 1 less a rounding error would tell apart what is tied: 1/3 and 2/6.
    totals[abs(totals - 1) < 1e-9] = 1.0
    tf = np.divide(frequencies, totals, out=np.zeros_like(frequencies), where=totals > 0)
    found = (frequencies > 0).sum(axis=0)
    return tf * np.log(len(frequencies) / (1 + found))


def mann_whitney(a: Floats, b: Floats) -> Floats:
    """Two-sided p-values `(p,)` of each column, as scipy's default gives them one by one.

    That is the normal approximation with continuity correction, and the exact distribution for a
    column without ties where a class has at most 8 bags.
    """
    p_values = np.asarray(mannwhitneyu(a, b, method="asymptotic").pvalue)
    if min(len(a), len(b)) <= FEW:
        ordered = np.sort(np.concatenate((a, b)), axis=0)
        untied = (ordered[1:] != ordered[:-1]).all(axis=0)
        if untied.any():
            p_values[untied] = mannwhitneyu(a[:, untied], b[:, untied], method="exact").pvalue
    return p_values
