"""Holds the link between a game's values and scores that are normally distributed.

It does not know what is fitted to the scores.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

#: Nodes of the Gauss-Hermite rule, and of the table that stands for the expected value.
NODES, TABLE = 15, 400


@dataclass(frozen=True)
class Link:
    """A monotone map from values to scores, and the expected value of an uncertain score.

    Models squash: a probability, a signed confidence, a clipped score is a monotone function of
    something much closer to a sum. The map is not assumed, it is read off the values: each value
    becomes the standard normal quantile of its rank.

    Attributes:
        scores: for each output, increasing scores `(k,)`.
        values: for each output, the values `(k,)` that have those scores.

    Source:
        Normal scores, van der Waerden (1952); a Gaussian process behind a learned monotone map,
        Snelson, Rasmussen and Ghahramani (2003).
    """

    scores: tuple[Floats, ...]
    values: tuple[Floats, ...]

    def back(self, mean: Floats, variance: Floats) -> Floats:
        """Expected values `(b, q)` of scores with this mean `(b, q)` and variance `(q,)`."""
        from scipy.special import roots_hermitenorm

        nodes, weights = roots_hermitenorm(NODES)
        weights = weights / weights.sum()
        out = np.empty_like(mean)
        for j, (scores, values) in enumerate(zip(self.scores, self.values, strict=True)):
            spread = np.sqrt(variance[j])
            reach = scores[-1] + 4.0 + 4.0 * spread
            grid = np.linspace(-reach, reach, TABLE)
            table = np.interp(grid[:, None] + spread * nodes, scores, values) @ weights
            out[:, j] = np.interp(mean[:, j], grid, table)
        return out


def link(y: Floats) -> tuple[Link, Floats]:
    """The link of values `(m, q)`, and their scores `(m, q)`; equal values share a score."""
    from scipy.special import ndtri

    m, q = y.shape
    scores = np.empty_like(y)
    knots: list[Floats] = []
    levels: list[Floats] = []
    for j in range(q):
        value, inverse, count = np.unique(y[:, j], return_inverse=True, return_counts=True)
        middle = np.cumsum(count) - count / 2
        score = np.asarray(ndtri(middle / m), dtype=np.float64)
        scores[:, j] = score[inverse]
        # Between two values the quantile function runs over the whole of each value's share.
        ordered = np.asarray(ndtri((np.arange(m) + 0.5) / m), dtype=np.float64)
        knots.append(ordered)
        levels.append(np.repeat(value, count))
    return Link(tuple(knots), tuple(levels)), scores
