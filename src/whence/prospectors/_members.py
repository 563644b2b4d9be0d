"""Holds the members of a head, concepts and linear terms, fitted to some of the bags.

It does not know how members are weighed against each other, nor folds.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from whence.prospectors import linear
from whence.prospectors._fitting import Counted
from whence.prospectors._resampling import bootstrapped, drawn_times
from whence.prospectors._stack import Members
from whence.prospectors.kernels import Kernel
from whence.prospectors.linear import Embedded

Floats = NDArray[np.float64]
Ints = NDArray[np.intp]


@dataclass(frozen=True, eq=False)
class Team:
    """What is fitted to what.

    Attributes:
        kernel: of concepts and pairs.
        kinds: of linear terms, see `linear.TERMS`; () for none.
        data: of all bags.
        targets: `(b, c)`.
    """

    kernel: Kernel
    kinds: tuple[str, ...]
    data: Counted
    targets: Floats

    @property
    def centre(self) -> Floats:
        """The mean of all training tokens `(d,)`; of no length without linear terms."""
        if self.data.means is None:
            return np.zeros(0)
        return self.data.sizes @ self.data.means / self.data.sizes.sum()

    def fit(self, rows: Ints) -> Members:
        """Every member, from some bags."""
        weights = self.kernel(self.data.frequencies[rows], self.targets[rows])
        return Members(self._betas(rows), weights)

    def draws(self, by: Floats, seed: int, resamples: int, groups: Any) -> tuple[Floats, Floats]:
        """Weights `(R, p, c)` and betas `(R, d, c)` from resampled bags, members times `by`.

        Linear terms move by one Newton step per bag: to first order. How members are weighed, and
        the concepts, are held fixed.
        """
        x, y = self.data.frequencies, self.targets
        rngs = [np.random.default_rng([seed, 1]) for _ in range(2)]
        flat = bootstrapped(self.kernel, x, y, rngs[0], resamples, groups=groups) * by[-1]
        # The same drawings, so that what both say of one token is correlated as it should be.
        more = drawn_times(y, rngs[1], resamples, groups) - 1
        beta = np.zeros((resamples, len(self.centre), y.shape[1]))
        for kind, factor in zip(self.kinds, by[:-1], strict=True):
            term = linear.fitted(kind, self._embedded(), y, moves=True)
            assert term.influence is not None
            beta += (term.beta + np.tensordot(more, term.influence, axes=1)) * factor
        return flat, beta

    def margins(self, beta: Floats, flat: Floats) -> Floats:
        """`(b, c)` of all bags, the sum of the map over Z."""
        return margins(self.data, self.centre, flat, beta)

    def _betas(self, rows: Ints) -> Floats:
        if not self.kinds:
            return np.zeros((0, 0, self.targets.shape[1]))
        some = self._embedded().take(rows)
        terms = [linear.fitted(kind, some, self.targets[rows]) for kind in self.kinds]
        return np.stack([term.beta for term in terms])

    def _embedded(self) -> Embedded:
        data = self.data
        assert data.sample is not None
        assert data.member is not None
        assert data.means is not None
        return Embedded(data.sample, data.member, data.means, self.centre)


def margins(data: Counted, centre: Floats, flat: Floats, beta: Floats) -> Floats:
    """`(b, c)` of all bags; a linear term is left out where beta has no length."""
    found = data.frequencies @ flat
    if len(beta):
        assert data.means is not None
        found = found + (data.means - centre) * (data.sizes / data.totals)[:, None] @ beta
    return found
