"""Holds the stack: linear terms and concepts, weighed against each other by left-out maps.

Every member's map is linear in its own coefficients, so their weighted sum is one map, and its
account stays complete. It does not know how members are fitted, nor what the bags are.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np
from numpy.typing import NDArray

from whence.dictionaries.quantizer import Quantizer
from whence.prospectors._fitting import batched, coded
from whence.prospectors.bags import Bag
from whence.prospectors.counting import token_map
from whence.prospectors.folds import Fold, performance
from whence.prospectors.kernels import Weights
from whence.prospectors.linear import spoken
from whence.prospectors.smoothing import How, pooled, smoothed

Floats = NDArray[np.float64]

#: Weights of members are whole numbers of so many parts.
PARTS = 4


@dataclass(frozen=True, eq=False)
class Members:
    """What one fit made: of all bags, or without a fold.

    Attributes:
        betas: `(l, d, c)` linear terms; l may be 0.
        weights: `(p, c)` of concepts and pairs.
    """

    betas: Floats
    weights: Weights

    @property
    def flat(self) -> Floats:
        """`(p, c)`."""
        return self.weights.values

    def weighed(self, by: Floats) -> tuple[Floats, Floats]:
        """One beta `(d, c)` and flat `(p, c)`, each member times `by` `(l + 1, c)`."""
        return np.einsum("ldc,lc->dc", self.betas, by[:-1]), self.flat * by[-1]


@dataclass(frozen=True, eq=False)
class Maps:
    """What every member says of every token.

    Attributes:
        own: per bag and number of hops `(N, members, c)`, from the fit without the bag's fold.
        sums, squares: `(b, fits, members, c)` over the tokens of each bag.
        sizes: `(b,)`.
    """

    own: list[list[Floats]]
    sums: Floats
    squares: Floats
    sizes: Floats

    def spread(self, fit: int, rows: Any) -> Floats:
        """Standard deviation `(members, c)` of one fit's maps over the tokens of some bags."""
        n = self.sizes[rows].sum()
        mean = self.sums[rows, fit].sum(axis=0) / n
        return np.sqrt(np.maximum(self.squares[rows, fit].sum(axis=0) / n - mean**2, 0.0))


@dataclass(frozen=True, eq=False)
class Stack:
    """What was chosen.

    Attributes:
        shares: `(members, c)` on the simplex: how much each counts, its map having spread 1.
        by: `(fits, members, c)` what each fit's coefficients are multiplied by.
        hops: of smoothing.
    """

    shares: Floats
    by: Floats
    hops: int


def read(
    bags: Iterable[Bag],
    quantizer: Quantizer,
    r: int,
    centre: Floats,
    fits: Sequence[Members],
    fold: NDArray[np.intp],
    hops: Sequence[int],
    seen: Any,
) -> Maps:
    """One pass: the maps of all members by all fits; kept are those of the bag's own fold.

    Args:
        fits: to all bags first, then without each fold.
        fold: `(b,)` the fold of each bag, from 0.
    """
    flats = np.concatenate([fit.flat for fit in fits], axis=1)
    betas = np.concatenate([np.moveaxis(fit.betas, 0, 1) for fit in fits], axis=1)
    members, c = betas.shape[1] // len(fits) + 1, fits[0].flat.shape[1]
    own: list[list[Floats]] = []
    sums, squares, sizes = [], [], []
    for batch in batched(bags):
        for bag, codes, _ in coded(batch, quantizer, 0):
            maps = np.empty((len(bag), len(fits), members, c))
            maps[:, :, -1] = token_map(codes, bag.layout, r, flats).reshape(len(bag), -1, c)
            if members > 1:
                said = spoken(bag.tokens, centre, betas.reshape(len(betas), -1))
                maps[:, :, :-1] = said.reshape(len(bag), len(fits), -1, c)
            sums.append(maps.sum(axis=0))
            squares.append((maps**2).sum(axis=0))
            mine = maps[:, 1 + fold[len(own)]].reshape(len(bag), -1)
            made = [smoothed(mine, bag.layout, h) for h in hops]
            own.append([m.reshape(len(bag), members, c) for m in made])
            sizes.append(len(bag))
        seen(len(batch))
    return Maps(own, np.array(sums), np.array(squares), np.array(sizes))


def chosen(
    maps: Maps, targets: Floats, parts: Sequence[Fold], hops: Sequence[int], *, numbers: bool
) -> Stack:
    """Shares and hops by what the largest tenth of left-out maps is worth, column by column.

    For numbers the shares are chosen by the mean, which numbers follow, and then the hops.
    """
    members, c = maps.sums.shape[2:]
    grid = simplex(members)
    fold = fold_of(parts, len(targets))
    every = [maps.spread(0, slice(None))]
    every += [maps.spread(1 + f, training) for f, (training, _) in enumerate(parts)]
    scales = np.array([np.where(s > 0, 1 / np.where(s > 0, s, 1.0), 0.0) for s in every])
    best = np.empty((len(hops), c), dtype=np.intp)
    worth = np.empty((len(hops), c))
    for h, j in product(range(len(hops)), range(c)):
        scaled = [
            own[h][:, :, j] * scales[1 + f, :, j] for own, f in zip(maps.own, fold, strict=True)
        ]
        values = _worth(scaled, grid, targets[:, j], parts, "mean" if numbers else "top", numbers)
        best[h, j] = int(np.argmax(np.round(values, 9)))
        if numbers:
            best[h] = best[0]
            chosen_one = grid[best[h, j]][None]
            values = _worth(scaled, chosen_one, targets[:, j], parts, "top", numbers)
        worth[h, j] = values.max()
    h = int(np.argmax(np.round(worth.mean(axis=1), 9)))
    shares = grid[best[h]].T
    return Stack(shares, shares * scales, hops[h])


def simplex(members: int) -> Floats:
    """All shares `(choices, members)` in steps of 1/4, the even ones first."""
    steps = np.array(list(product(range(PARTS + 1), repeat=members)), dtype=np.float64)
    steps = steps[steps.sum(axis=1) == PARTS] / PARTS
    return steps[np.argsort((steps**2).sum(axis=1), kind="stable")]


def fold_of(parts: Sequence[Fold], bags: int) -> NDArray[np.intp]:
    """The fold `(b,)` in whose test part each bag is."""
    fold = np.empty(bags, dtype=np.intp)
    for f, (_, test) in enumerate(parts):
        fold[test] = f
    return fold


def _worth(
    scaled: Sequence[Floats],
    grid: Floats,
    target: Floats,
    parts: Sequence[Fold],
    how: How,
    numbers: bool,
) -> Floats:
    """What the pooled maps of every choice are worth, `(choices,)`."""
    margins = np.stack([pooled(own @ grid.T, how) for own in scaled])
    found = [performance(m, target, parts, numbers=numbers).value for m in margins.T]
    return np.array(found)
