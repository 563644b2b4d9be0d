"""Holds the sampler that spreads masks evenly over their sizes, in pairs, without replacement.

It does not know what will be fitted.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations
from math import comb

import numpy as np
from numpy.typing import NDArray

from whence import masks
from whence.masks import Masks
from whence.samples import Samples

#: Classes up to this many masks are written out; larger ones are drawn and deduplicated.
WRITE_OUT = 20_000


@dataclass(frozen=True)
class EvenSizes:
    """Masks whose sizes 1 .. n-1 get equal shares, each with its complement, none twice.

    For the Shapley kernel regression the statistical leverage of a mask of size s is inversely
    proportional to the number of masks of that size, so leverage-score sampling is: every size
    equally often. A size with fewer masks than its share is taken whole, and the rest of its
    share goes to the others.

    Source:
        Musco and Witter, Provably Accurate Shapley Value Estimation via Leverage Score Sampling
        (2025). They draw each mask with its own coin; here the number per size is fixed, which
        keeps the budget exact and removes the randomness of the sizes.
    """

    def __call__(self, n: int, budget: int, rng: np.random.Generator, seen: Samples) -> Masks:
        """At most `budget` new masks `(b, n)`, a mask next to its complement."""
        taken = masks.keys(np.concatenate([seen.masks, ~seen.masks]))
        free = _pairs_left(n, seen.masks)
        pairs = []
        for s, count in enumerate(_shares(free, n, budget // 2, rng), start=1):
            chosen = _of_size(n, s, int(count), rng, taken)
            pairs.append(np.stack([chosen, ~chosen], axis=1).reshape(-1, n))
        return np.concatenate(pairs)


def _pairs_left(n: int, seen: Masks) -> NDArray[np.int64]:
    """How many {S, complement} pairs of each size 1 .. n // 2 hold no seen mask."""
    total = np.array(
        [min(comb(n, s) // (2 if 2 * s == n else 1), 2**62) for s in range(1, n // 2 + 1)],
        dtype=np.int64,
    )
    size = seen.sum(axis=1)
    flip = (2 * size > n) | ((2 * size == n) & ~seen[:, 0])
    small = seen ^ flip[:, None]
    small = small[masks.distinct(small)[0]]
    size = small.sum(axis=1)
    return total - np.bincount(size[size > 0] - 1, minlength=len(total))[: len(total)]


def _shares(
    free: NDArray[np.int64], n: int, pairs: int, rng: np.random.Generator
) -> NDArray[np.int64]:
    """How many pairs each size gets: equal shares per size, capped by what is left of it."""
    mass = np.full(len(free), 2.0)
    if n % 2 == 0:
        mass[-1] = 1.0
    share = np.zeros(len(free))
    open_ = free > 0
    left = float(min(pairs, int(np.minimum(free, pairs).sum())))
    while left > 1e-9 and open_.any():
        grant = left * mass * open_ / (mass * open_).sum()
        grant = np.minimum(grant, free - share)
        share += grant
        left -= grant.sum()
        open_ &= share < free - 1e-9
    floor = np.floor(share + 1e-9).astype(np.int64)
    spare = round(float(share.sum())) - int(floor.sum())
    if spare > 0:
        part = np.where(floor < free, share - floor + 1e-9 * rng.random(len(free)), -1.0)
        floor[np.argsort(-part)[:spare]] += 1
    return np.minimum(floor, free)


def _of_size(
    n: int, s: int, count: int, rng: np.random.Generator, taken: NDArray[np.void]
) -> Masks:
    """`count` distinct masks of size s, of a complementary pair at most one, none taken."""
    middle = 2 * s == n
    if comb(n, s) <= WRITE_OUT:
        sets = np.array(list(combinations(range(n), s)), dtype=np.intp)
        rows = np.zeros((len(sets), n), dtype=np.bool_)
        np.put_along_axis(rows, sets, True, axis=1)
        rows = rows[rows[:, 0]] if middle else rows
        rows = rows[~np.isin(masks.keys(rows), taken)]
        return rows[rng.permutation(len(rows))[:count]]
    drawn = np.zeros((0, n), dtype=np.bool_)
    while len(drawn) < count:
        rank = rng.random((count - len(drawn) + 4, n)).argsort(axis=1)
        fresh = rank < s
        if middle:
            fresh ^= ~fresh[:, :1]
        drawn = np.concatenate([drawn, fresh[~np.isin(masks.keys(fresh), taken)]])
        drawn = drawn[masks.distinct(drawn)[0]]
    return drawn[:count]
