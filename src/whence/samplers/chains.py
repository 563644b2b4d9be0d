"""Holds the sampler of permutations: masks that grow one unit at a time from empty to full.

It does not know what will be fitted.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from whence import masks
from whence.masks import Masks
from whence.samples import Samples


@dataclass(frozen=True)
class Chains:
    """Chains of masks along random orders, each order followed by its reverse.

    Only whole chains are asked: up to n - 1 of the budget may stay unspent. Masks shared by two
    chains are asked once. First units are spread evenly over the orders.

    Source:
        Castro, Gomez and Tejada (2009); antithetic orders: Mitchell et al. (2022).
    """

    def __call__(self, n: int, budget: int, rng: np.random.Generator, seen: Samples) -> Masks:
        """At most `budget` new masks `(b, n)`; every mask left, if the budget covers them."""
        if n <= 20 and budget + len(seen) >= 2**n:
            left = masks.every(n)
            return left[~masks.among(left, seen.masks)]
        asked = np.zeros((0, n), dtype=np.bool_)
        misses = 0
        firsts = rng.permutation(n)
        order = firsts
        for turn in range(4 * budget + 4):
            back = turn % 2 == 1
            order = order[::-1] if back else _order_from(int(firsts[turn // 2 % n]), n, rng)
            chain = _chain(order)
            fresh = chain[~masks.among(chain, np.concatenate([seen.masks, asked]))]
            if len(asked) + len(fresh) > budget:
                break
            misses = misses + 1 if len(fresh) == 0 else 0
            if misses > 20:
                break
            asked = np.concatenate([asked, fresh])
        return asked


def _order_from(first: int, n: int, rng: np.random.Generator) -> np.ndarray:
    rest = rng.permutation(np.delete(np.arange(n), first))
    return np.concatenate([[first], rest])


def _chain(order: np.ndarray) -> Masks:
    """The n - 1 masks between empty and full along an order: `(n - 1, n)`."""
    n = len(order)
    place = np.empty(n, dtype=np.int64)
    place[order] = np.arange(n)
    return place[None, :] < np.arange(1, n)[:, None]
