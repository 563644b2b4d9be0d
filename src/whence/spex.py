"""Holds Spex: coded masks, and the sets that decoding them names.

It does not know how the masks are coded (samplers) nor decoded (solvers).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from whence.masks import Masks
from whence.samplers.coded import Coded
from whence.samples import Samples
from whence.setfunction import SetFunction
from whence.solvers.peeling import Peeling


@dataclass(frozen=True)
class Spex:
    """A sparse Fourier transform: sets of any order, without trying candidates.

    It asks a fixed number of masks (see `whence.samplers.coded.budgets`), `groups * 2^b * (p + 1)`
    with p about `t * log2(n)`. With b left out the budget decides: the largest b of this t that
    fits, or of the next smaller t if none does. Standard errors are not known.

    Attributes:
        b: 2^b bins per group, 3 to 12, or None. A bin must hold hardly more than one large term,
            so 2^b should be about the number of terms.
        t: errors the code corrects: the size of the largest set it finds, less wrong bits.
        groups: random subspaces.
        decoding: "soft" (Chase) or "hard" (a few times cheaper, less of it right under noise).
        refine: whether to refit the found sets and the single units by the lasso on all samples,
            kept where cross-validation says so.

    Source:
        Kang et al. (2025), "SPEX: Scaling Feature Interaction Explanations for LLMs", ICML, arXiv
        2502.13870. Departures are told where they happen: `Design` (a random shift per group),
        `peel` (empty bins are relative to the variance), its decoding (sets of another bin are no
        success), `Peeling` (the refit may be unpenalised).
    """

    b: int | None = None
    t: int = 5
    groups: int = 3
    decoding: Literal["soft", "hard"] = "soft"
    refine: bool = True

    def __post_init__(self) -> None:
        # Both refuse by name what they cannot use, before anything is asked.
        self._sampler()
        self._solver()

    def ask(self, n: int, budget: int, rng: np.random.Generator, seen: Samples) -> Masks:
        """The coded masks `(m, n)`, each once, less those seen. One number is drawn from `rng`.

        Raises:
            BudgetError: no design fits the budget; the message lists which there are.
            InputError: b is more than n.
        """
        return self._sampler()(n, budget, rng, seen)

    def fit(self, samples: Samples) -> SetFunction:
        """The decoded function; the design is recognised from the masks.

        Raises:
            InputError: the samples hold no coded design.
        """
        return self._solver().fit(samples)

    def _sampler(self) -> Coded:
        return Coded(self.b, self.t, self.groups)

    def _solver(self) -> Peeling:
        return Peeling(self.decoding, self.refine)
