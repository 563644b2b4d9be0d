"""Holds the sampler of balanced masks: uniform, each unit present in half of them.

It does not know what will be fitted.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from whence import masks
from whence.masks import Masks
from whence.samples import Samples

#: Up to this many units a flipped mask may well be one that was drawn already.
CROWDED = 32


@dataclass(frozen=True)
class Balanced:
    """Distinct uniform masks, a few bits of which are flipped until every column is balanced.

    Together with those seen, every unit is then present in half of the masks, up to one. That
    takes the chance correlation of each unit with the constant out of the design, at no cost.
    Where nearly all masks are drawn, flips that would repeat a mask are left undone.
    """

    def __call__(self, n: int, budget: int, rng: np.random.Generator, seen: Samples) -> Masks:
        """At most `budget` new masks `(b, n)`."""
        drawn = masks.uniform(n, budget, rng, avoid=seen.masks)
        if not len(drawn) or (n <= masks.MAX_EVERY and 4 * len(drawn) > 2**n):
            return drawn
        excess = 2 * (seen.masks.sum(axis=0) + drawn.sum(axis=0)) - len(seen) - len(drawn)
        moved = drawn.copy()
        for unit in rng.permutation(n):
            _balance(moved, unit, int(excess[unit]) // 2, rng, seen.masks)
        repeated = len(masks.distinct(moved)[0]) < len(moved)
        return drawn if repeated or masks.among(moved, seen.masks).any() else moved


def _balance(drawn: Masks, unit: int, excess: int, rng: np.random.Generator, seen: Masks) -> None:
    """Flip a unit in `excess` masks that hold it (or in `-excess` that do not), in place."""
    rows = rng.permutation(np.flatnonzero(drawn[:, unit] == (excess > 0)))
    if drawn.shape[1] <= CROWDED and excess:
        rows = rows[: 4 * abs(excess) + 8]
        flipped = drawn[rows]
        flipped[:, unit] ^= True
        rows = rows[~masks.among(flipped, np.concatenate([drawn, seen]))]
    drawn[rows[: abs(excess)], unit] ^= True
