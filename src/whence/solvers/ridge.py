"""Holds the ridge on every term up to a degree, smaller terms expected to be larger.

It does not know how the masks were drawn.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import comb

import numpy as np
from numpy.typing import NDArray

from whence._kernels import terms as csr
from whence._kernels.least_squares import parities, ridge_path
from whence.errors import BudgetError, InputError
from whence.samples import Samples
from whence.setfunction import SetFunction
from whence.solvers.low_degree import uniform_weights
from whence.solvers.paths import fed, tuned


@dataclass(frozen=True)
class Ridge:
    """A dense polynomial, shrunk: terms of d units have prior variance `decay^(d - 1)`.

    Never sparse, and never without an answer: it serves where the samples are fewer than the
    terms and many terms matter a little.

    Attributes:
        degree: size of the largest set with a term.
        decay: how much smaller the variance of each further degree is expected to be.
        strengths: noise over prior variance, tried by cross-validation; strongest first.
        max_terms: the most terms.

    Source:
        Hoerl and Kennard (1970); a Gaussian prior by degree is the Walsh-kernel process with one
        decay for all units, cut off at a degree.
    """

    degree: int = 1
    decay: float = 0.25
    strengths: tuple[float, ...] = (256.0, 64.0, 16.0, 4.0, 1.0, 0.1)
    max_terms: int = 5000

    def __post_init__(self) -> None:
        if self.degree < 1 or not 0 < self.decay <= 1 or min(self.strengths, default=0) <= 0:
            raise InputError(
                f"degree={self.degree}, decay={self.decay}, strengths={self.strengths} came; they "
                "must be at least 1, in (0, 1], and positive."
            )

    def needs(self, n: int) -> int:
        """Eight samples: fewer leave nothing to choose a strength with.

        Raises:
            BudgetError: more than `max_terms` terms.
        """
        terms = sum(comb(n, s) for s in range(1, min(self.degree, n) + 1))
        if terms > self.max_terms:
            raise BudgetError(
                f"Ridge(degree={self.degree}) has {terms:,} terms over {n} units and fits at most "
                f"max_terms={self.max_terms:,}. Lower the degree, raise max_terms, or use a "
                "sparse solver."
            )
        return 8

    def fit(self, samples: Samples) -> SetFunction:
        """The shrunken polynomial, its strength chosen by five-fold cross-validation.

        Raises:
            BudgetError: fewer than eight samples, or too many terms.
        """
        return tuned(self, fed(self, samples, f"Ridge(degree={self.degree})"), 5)

    def path(self, samples: Samples) -> SetFunction:
        """Fits at every strength; see `Path.path`."""
        n = samples.n
        indptr, indices = csr.all_sets(n, self.degree)
        x = parities(samples.masks, indptr, indices)[:, 1:]
        scale = np.power(self.decay, csr.sizes(indptr)[1:] - 1.0).astype(np.float64)
        fits = ridge_path(x, samples.columns, uniform_weights(samples.masks), scale, self.strengths)
        values = np.moveaxis(fits, 0, -1).reshape(-1, *samples.out, len(self.strengths))
        return SetFunction(n, indptr, indices, values)

    def told(self, at: NDArray[np.intp]) -> str:
        """The ridge at the chosen strengths."""
        chosen = ", ".join(f"{self.strengths[a]:g}" for a in np.unique(at))
        return f"Ridge(degree={self.degree}, decay={self.decay}) of strength {chosen}"
