"""Holds the tree-spectrum ridge: boosted trees say which terms to expect, a ridge fits them.

It does not know how the masks were drawn.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from whence._kernels import terms as csr
from whence._kernels.least_squares import parities
from whence._kernels.terms import Family
from whence._kernels.tree_spectra import Spectra
from whence.errors import InputError
from whence.masks import folds
from whence.samples import Samples
from whence.setfunction import SetFunction
from whence.solvers.boosting import Boosting, grow, spectra
from whence.solvers.low_degree import uniform_weights
from whence.solvers.paths import fed

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

#: Many small trees: on exact and planted games better than fewer, larger ones, and no dearer.
SMALL = Boosting(trees=200, rate=0.15, leaves=7, smallest=5)


@dataclass(frozen=True)
class TreeRidge:
    """A ridge on the terms of a tree spectrum, each term shrunk less the larger the trees have it.

    Boosted trees are grown on all folds but one, for every fold; the mean F of their exact
    Fourier spectra is a prior. Columns are its largest terms and every single unit, scaled by
    `(|F(T)| / max |F| + floor)^power`. Power, floor and penalty are chosen on each fold with the
    trees that have not seen it. Every output has its own trees, terms and choice, so the cost
    grows with the number of outputs.

    Attributes:
        boosting: how the trees are grown.
        max_terms: the most terms taken from the spectrum.
        shapes: pairs (power, floor) to choose from.
        penalties: to choose from, in shares of the prior variance per sample.
        groups: number of folds.

    Source:
        Not a published method. Trees as proxies and their spectra: ProxySPEX, Butler et al.
        (2025); scaling columns by a first estimate: the adaptive lasso, Zou (2006), here with an
        L2 penalty. Measured in docs/methods/tree-ridge.md.
    """

    boosting: Boosting = SMALL
    max_terms: int = 800
    shapes: tuple[tuple[float, float], ...] = ((0.5, 0.005), (1.0, 0.005))
    penalties: tuple[float, ...] = (5.0, 1.0, 0.2, 0.04, 0.008, 0.0004)
    groups: int = 3

    def __post_init__(self) -> None:
        least = min((min(s[0], s[1] + 1.0) for s in self.shapes), default=0.0)
        if min(self.max_terms, self.groups - 1, min(self.penalties, default=0)) <= 0 or least <= 0:
            raise InputError(
                f"max_terms={self.max_terms}, groups={self.groups}, shapes={self.shapes}, "
                f"penalties={self.penalties} came; they need at least one term, two folds, a shape "
                "of positive power, and positive penalties."
            )

    def needs(self, n: int) -> int:
        """Sixteen samples: fewer leave the trees nothing to split."""
        return 16

    def fit(self, samples: Samples) -> SetFunction:
        """The fit, in the Fourier basis.

        Raises:
            BudgetError: fewer than sixteen samples.
        """
        samples = fed(self, samples, "TreeRidge", ", or use a ridge on single units")
        return tree_ridge_cv(samples, folds(samples.masks, self.groups), self)[1]


def tree_ridge_cv(
    samples: Samples, group: NDArray[np.int64], how: TreeRidge | None = None
) -> tuple[Floats, SetFunction]:
    """Predictions of every row by a fit that has not seen it, and the fit to all rows.

    The trees, their spectrum, the columns and the ridge of a fold's predictions come from the
    other folds alone. Its power, floor and penalty are those that predict the *other* folds best
    (with the trees that have not seen those), so a row's own error has no say in it.

    Args:
        samples: distinct samples.
        group: `(m,)` fold of each row, 0, 1, ... without a gap; rows of fold -1 are in every fit.
        how: the settings; its `groups` is not used.

    Returns:
        `(m, q)` out-of-fold predictions, NaN for rows of fold -1; and the function.
    """
    how = how or TreeRidge()
    y, n, q = samples.columns, samples.n, samples.columns.shape[1]
    weights = uniform_weights(samples.masks)
    used = range(int(group.max(initial=-1)) + 1)
    trains = [group != g for g in used] or [np.ones(len(group), dtype=np.bool_)]
    parts = [grow(samples.masks[t], y[t], weights[t], how.boosting) for t in trains]
    found = spectra(parts, n, q)
    guesses = np.full((len(y), q), np.nan)
    fits: list[Family] = []
    for j in range(q):
        own = found.values[:, j::q]
        losses, tried = _judged(samples.masks, y[:, j], weights, trains, found, own, how)
        for g in used:
            at = _best(losses.sum(axis=0) - losses[g])
            guesses[group == g, j] = tried[g][at]
        family = prior(found, own.mean(axis=1), how.max_terms)
        fits.append(
            _fitted(samples.masks, y[:, j], weights, family, how, _best(losses.sum(axis=0)))
        )
    return guesses, joined(fits, samples, repr(how))


def prior(found: Spectra, strength: Floats, most: int) -> Family:
    """The largest terms of a spectrum and every single unit, with their sizes `(k, 1)`.

    Args:
        found: the sets.
        strength: `(k,)` their coefficients.
        most: the most terms taken, the constant left out; single units come on top.
    """
    size = np.abs(strength)
    wanted = np.flatnonzero((size > 0) & (found.sizes > 0))
    top = wanted[np.argsort(-size[wanted], kind="stable")[:most]]
    family = found.family(top, size[top, None])
    n = found.n
    indptr = np.concatenate([np.arange(n), n + family.indptr])
    indices = np.concatenate([np.arange(n), family.indices])
    values = np.concatenate([np.zeros((n, 1)), family.values])
    return csr.merge(indptr, indices, values, n)


def paths(
    x: Floats, y: Floats, weights: Floats, scales: Sequence[Floats], penalties: Sequence[float]
) -> Floats:
    """Ridge fits with a free constant for several priors: `(scales, penalties, 1 + k)`.

    Each minimises `sum_j w_j (y_j - b_0 - x_j b)^2 + penalty * sum_i s_i^2 * sum_i b_i^2 / s_i^2`.
    One Cholesky root per fit of the smaller Gram matrix: up to about ten penalties that costs less
    than an eigendecomposition, which would serve any number.

    Args:
        x: `(m, k)` columns, without a constant.
        y: `(m,)`.
        weights: `(m,)` non-negative.
        scales: `(k,)` prior standard deviations each, non-negative.
        penalties: positive.
    """
    from scipy.linalg import cho_factor, cho_solve

    total = weights.sum()
    centre, mean = weights @ x / total, weights @ y / total
    root = np.sqrt(weights)
    rows, target = (x - centre) * root[:, None], (y - mean) * root
    wide = x.shape[1] > len(x)
    shared = np.zeros((0, 0)) if wide else rows.T @ rows
    right = target if wide else rows.T @ target
    fits = np.empty((len(scales), len(penalties), 1 + x.shape[1]))
    for fit, scale in zip(fits, scales, strict=True):
        half = rows * scale if wide else rows
        gram = half @ half.T if wide else shared * scale * scale[:, None]
        power = max(float(scale @ scale), np.finfo(float).tiny)
        for row, penalty in zip(fit, penalties, strict=True):
            lifted = gram.copy()
            lifted[np.diag_indices_from(lifted)] += penalty * power
            factor = cho_factor(lifted, lower=True, overwrite_a=True, check_finite=False)
            solved = cho_solve(factor, right if wide else right * scale, check_finite=False)
            row[1:] = (half.T @ solved if wide else solved) * scale
            row[0] = mean - centre @ row[1:]
    return fits


def joined(fits: Sequence[Family], samples: Samples, told: str) -> SetFunction:
    """One function of all outputs from a family `(k, 1)` for each."""
    lengths = [len(f.values) for f in fits]
    wide = np.zeros((sum(lengths), len(fits)))
    for j, (start, f) in enumerate(zip(np.cumsum([0, *lengths[:-1]]), fits, strict=True)):
        wide[start : start + len(f.values), j] = f.values[:, 0]
    sizes = np.concatenate([csr.sizes(f.indptr) for f in fits])
    indptr = np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64)
    merged = csr.merge(indptr, np.concatenate([f.indices for f in fits]), wide, samples.n)
    values = merged.values.reshape(-1, *samples.out)
    return SetFunction(samples.n, merged.indptr, merged.indices, values, fitted_by=told)


def with_constant(family: Family, fit: Floats) -> Family:
    """The sets of a family and the empty one, with a fit `(1 + k,)`; zero terms left out."""
    keep = np.flatnonzero(fit[1:] != 0)
    n = int(family.indices.max(initial=0)) + 1
    f = SetFunction(n, family.indptr, family.indices, fit[1:, None]).take(keep)
    values = np.concatenate([fit[:1, None], f.values])
    return Family(np.concatenate([[0], f.indptr]), f.indices, values)


def _scales(family: Family, how: TreeRidge) -> list[Floats]:
    """Prior standard deviations `(k,)` for every shape."""
    size = family.values[:, 0]
    share = size / max(float(size.max(initial=0.0)), np.finfo(float).tiny)
    return [np.power(share + floor, power) for power, floor in how.shapes]


def _judged(
    masks: NDArray[np.bool_],
    y: Floats,
    weights: Floats,
    trains: Sequence[NDArray[np.bool_]],
    found: Spectra,
    own: Floats,
    how: TreeRidge,
) -> tuple[Floats, list[Floats]]:
    """Losses `(folds, shapes, penalties)` and held-out guesses `(shapes, penalties, rows)`."""
    losses: list[Floats] = []
    tried: list[Floats] = []
    for train, strength in zip(trains, own.T, strict=True):
        family = prior(found, strength, how.max_terms)
        x = parities(masks, family.indptr, family.indices)
        fits = paths(x[train], y[train], weights[train], _scales(family, how), how.penalties)
        guess = fits[..., 1:] @ x[~train].T + fits[..., :1]
        losses.append(((guess - y[~train]) ** 2).sum(axis=-1))
        tried.append(guess)
    return np.stack(losses), tried


def _best(losses: Floats) -> tuple[int, int]:
    """Where the loss `(shapes, penalties)` is least; of equals the most shrunken."""
    shape, penalty = np.unravel_index(int(losses.argmin()), losses.shape)
    return int(shape), int(penalty)


def _fitted(
    masks: NDArray[np.bool_],
    y: Floats,
    weights: Floats,
    family: Family,
    how: TreeRidge,
    at: tuple[int, int],
) -> Family:
    x = parities(masks, family.indptr, family.indices)
    scale, penalty = _scales(family, how)[at[0]], how.penalties[at[1]]
    return with_constant(family, paths(x, y, weights, [scale], [penalty])[0, 0])
