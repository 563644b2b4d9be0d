"""Holds ProxySPEX: boosted trees as a proxy, their spectrum cut to the largest terms and refitted.

It does not know how the masks were drawn.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal, NamedTuple

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
from whence.solvers.boosting import Boosting, Grown, grow, pruned, spectra, staged
from whence.solvers.low_degree import uniform_weights
from whence.solvers.paths import fed
from whence.solvers.tree_ridge import joined, paths, with_constant

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Trains = Sequence[NDArray[np.bool_]]


class Grid(NamedTuple):
    """Settings of boosting to choose from, each scored after several numbers of trees."""

    settings: tuple[Boosting, ...]
    checkpoints: tuple[int, ...]


#: A few settings that do well from 100 to some thousand samples.
LEAN = Grid((Boosting(leaves=7, smallest=5), Boosting(leaves=31, smallest=5)), (50, 100, 200, 300))
#: The grid of the paper, on LightGBM's default leaves.
PAPER = Grid(
    tuple(Boosting(rate=r, depth=d) for d in (3, 5, None) for r in (0.01, 0.1)), (500, 1000, 5000)
)


@dataclass(frozen=True)
class ProxySpex:
    """Boosted trees chosen by cross-validation, their exact spectrum cut short, a ridge on top.

    Two ways from the spectrum to the answer:

    "fixed": the number of terms, and whether a ridge on them replaces the trees' coefficients,
    are chosen by cross-validation in which each fold has its own trees, spectrum and ranking. The
    constant is always kept, and free in the ridge.

    "faithful": the rule of the paper's released code. Terms are kept while strictly larger than
    the one at which 95 % of the energy is reached, and a ridge without a free constant refits
    them, always. With one strong term and a few faint ones this keeps nothing above the constant.

    Attributes:
        mode: "fixed" or "faithful".
        degree: leave out larger sets; None for no limit.
        max_terms: the most terms kept by "fixed".
        checkpoints: numbers of trees to choose from; () for those of the mode.
        groups: number of folds.

    Source:
        Butler et al. (2025), ProxySPEX; spectra of trees: FourierShap, Gorji et al. (2025).
        Departures, in both modes: numbers of trees are scored on one fit instead of refitted;
        coefficients of equal sets are added (the release overwrites); the two ends count by how
        often a uniform mask is one. In "faithful", where nothing is kept, the constant is the
        answer (the release stops with an error).
    """

    mode: Literal["fixed", "faithful"] = "fixed"
    degree: int | None = None
    max_terms: int = 500
    checkpoints: tuple[int, ...] = ()
    groups: int = 5

    def __post_init__(self) -> None:
        if self.mode not in ("fixed", "faithful"):
            raise InputError(f"mode={self.mode!r} came; it is 'fixed' or 'faithful'.")
        if min(self.max_terms, self.groups - 1, self.degree or 1, *self.checkpoints, 1) < 1:
            raise InputError(
                f"degree={self.degree}, max_terms={self.max_terms}, groups={self.groups}, "
                f"checkpoints={self.checkpoints} came; each is at least 1, groups at least 2."
            )

    def needs(self, n: int) -> int:
        """Sixteen samples: fewer leave the trees nothing to split."""
        return 16

    def fit(self, samples: Samples) -> SetFunction:
        """The sparse function, in the Fourier basis.

        Raises:
            BudgetError: fewer than sixteen samples.
        """
        samples = fed(self, samples, "ProxySpex", ", or use a ridge on single units")
        weights = uniform_weights(samples.masks)
        group = folds(samples.masks, self.groups)
        trains = [group != g for g in range(int(group.max(initial=-1)) + 1)]
        fits: list[Family] = [EMPTY] * samples.columns.shape[1]
        grid = LEAN if self.mode == "fixed" else PAPER
        grid = grid._replace(checkpoints=self.checkpoints or grid.checkpoints)
        for found, at in _proxies(samples, weights, trains, grid, self.degree):
            for j in at:
                fits[j] = self._cut(samples, weights, trains, found, j)
        return joined(fits, samples, repr(self))

    def _cut(
        self, samples: Samples, weights: Floats, trains: Trains, found: Spectra, j: int
    ) -> Family:
        """Output j, from spectra of all folds and, last, of all samples."""
        own, y = found.values[:, j :: samples.columns.shape[1]], samples.columns[:, j]
        if self.mode == "faithful":
            return _by_energy(samples.masks, y, found, own[:, -1])
        return _by_judgement(samples.masks, y, weights, trains, found, own, self.max_terms)


EMPTY = Family(np.zeros(1, dtype=np.int64), np.zeros(0, dtype=np.int64), np.zeros((0, 1)))

#: Penalties of the ridge in "fixed", in shares of the number of terms.
PENALTIES = (1.0, 0.2, 0.04, 0.008, 0.0008, 0.00001)


def _proxies(
    samples: Samples, weights: Floats, trains: Trains, grid: Grid, degree: int | None
) -> list[tuple[Spectra, Ints]]:
    """Spectra of the trees of every fold and of all samples, and the outputs they are best for."""
    y, q = samples.columns, samples.columns.shape[1]
    masks, rounds = samples.masks, np.array(grid.checkpoints)
    longest = [replace(s, trees=int(rounds.max())) for s in grid.settings]
    grown = [[grow(masks[t], y[t], weights[t], s) for t in trains] for s in longest]
    losses = np.stack([_staged_losses(samples, trains, g, grid.checkpoints) for g in grown])
    best = losses.reshape(-1, q).argmin(axis=0)
    setting, checkpoint = np.divmod(best, len(rounds))
    found: list[tuple[Spectra, Ints]] = []
    for s in np.unique(setting):
        at = np.flatnonzero(setting == s)
        trees = np.zeros(q, dtype=np.int64)
        trees[at] = rounds[checkpoint[at]]
        final = replace(longest[s], trees=int(trees.max()))
        parts = [*grown[s], grow(masks, y, weights, final)]
        found.append((spectra([pruned(p, trees) for p in parts], samples.n, q, degree), at))
    return found


def _staged_losses(
    samples: Samples, trains: Trains, grown: Sequence[Grown], checkpoints: Sequence[int]
) -> Floats:
    """Summed unexplained shares of the folds' variance, `(checkpoints, q)`."""
    q = samples.columns.shape[1]
    losses = np.zeros((len(checkpoints), q))
    for train, part in zip(trains, grown, strict=True):
        y = samples.columns[~train]
        wrong = ((staged(part, samples.masks[~train], checkpoints, q) - y) ** 2).sum(axis=1)
        losses += wrong / np.maximum(((y - y.mean(axis=0)) ** 2).sum(axis=0), np.finfo(float).tiny)
    return losses


def _ranked(found: Spectra, strength: Floats, most: int) -> tuple[Family, Ints]:
    """The largest terms above the constant, and their order by size, largest first."""
    size = np.abs(strength)
    wanted = np.flatnonzero((size > 0) & (found.sizes > 0))
    top = wanted[np.argsort(-size[wanted], kind="stable")[:most]]
    family = found.family(top, strength[top, None])
    return family, np.argsort(-np.abs(family.values[:, 0]), kind="stable")


def _by_judgement(
    masks: NDArray[np.bool_],
    y: Floats,
    weights: Floats,
    trains: Trains,
    found: Spectra,
    own: Floats,
    most: int,
) -> Family:
    """The number of terms and the refit that predict held-out folds best."""
    counts = _counts(min(most, int((own != 0).any(axis=1).sum())))
    losses = np.zeros((len(counts), 1 + len(PENALTIES)))
    for train, strength in zip(trains, own.T, strict=False):
        x, fits = _cuts(masks, y, weights, train, found, strength, counts)
        guess = fits[..., 1:] @ x[~train].T + fits[..., :1]
        losses += ((guess - y[~train]) ** 2).sum(axis=-1)
    # The trees' own coefficients come first: a refit must be better to replace them.
    row, option = np.unravel_index(int(losses.argmin()), losses.shape)
    every = np.ones(len(y), dtype=np.bool_)
    _, fits = _cuts(masks, y, weights, every, found, own[:, -1], counts[row : row + 1])
    family, order = _ranked(found, own[:, -1], int(counts[row]))
    fit = fits[0, option]
    fit[1 + order] = fit[1:].copy()
    return with_constant(family, fit)


def _counts(most: int) -> Ints:
    """Numbers of terms to try: each at most half as many again as the one before."""
    counts = [0]
    while counts[-1] < most:
        counts.append(min(most, max(counts[-1] + 1, counts[-1] * 3 // 2)))
    return np.array(counts)


def _cuts(
    masks: NDArray[np.bool_],
    y: Floats,
    weights: Floats,
    train: NDArray[np.bool_],
    found: Spectra,
    strength: Floats,
    counts: Ints,
) -> tuple[Floats, Floats]:
    """Columns `(m, k)` by falling size; fits `(counts, options, 1 + k)`, zero where cut off.

    Option 0 is the trees' coefficients, the others a ridge at each penalty.
    """
    family, order = _ranked(found, strength, int(counts[-1]))
    x = parities(masks, family.indptr, family.indices)[:, order]
    fits = np.zeros((len(counts), 1 + len(PENALTIES), 1 + x.shape[1]))
    fits[:, 0, 0] = strength[0]
    for fit, kept in zip(fits, np.minimum(counts, x.shape[1]).tolist(), strict=True):
        fit[0, 1 : 1 + kept] = family.values[order[:kept], 0]
        flat = [np.ones(kept)]
        refits = paths(x[train, :kept], y[train], weights[train], flat, PENALTIES)
        fit[1:, : 1 + kept] = refits[0]
    return x, fits


def _by_energy(masks: NDArray[np.bool_], y: Floats, found: Spectra, strength: Floats) -> Family:
    """The released rule: terms above the one that completes 95 % of the energy, and a ridge."""
    from sklearn.linear_model import RidgeCV

    energy = np.where(found.sizes > 0, strength**2, 0.0)
    ranked = np.sort(energy)[::-1]
    cut = ranked[int(np.searchsorted(np.cumsum(ranked), 0.95 * ranked.sum()))]
    kept = np.flatnonzero(energy > cut)
    if not len(kept):
        return EMPTY._replace(indptr=np.zeros(2, dtype=np.int64), values=np.full((1, 1), y.mean()))
    family = found.family(kept, strength[kept, None])
    indptr = np.concatenate([[0], family.indptr])
    x = parities(masks, indptr, family.indices)
    ridge = RidgeCV(alphas=np.logspace(-6, 6, 100), fit_intercept=False).fit(x, y)
    return csr.merge(indptr, family.indices, np.asarray(ridge.coef_)[:, None], found.n)
