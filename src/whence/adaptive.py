"""Holds the adaptive explainer: part of the budget goes where the fit so far is least sure.

It does not know who values the masks (explain), which asks it in rounds.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from whence._kernels import cube
from whence.errors import BudgetError, InputError
from whence.masks import Masks, among
from whence.samplers.balanced import Balanced
from whence.samplers.coded import Coded
from whence.samplers.sizes import EvenSizes
from whence.samples import Samples, ends_of
from whence.setfunction import SetFunction
from whence.solvers.walsh_process import Conditioned, WalshProcess, condition, signs
from whence.surrogate import Surrogate

SURROGATE = Surrogate()
#: The most masks of one round that are chosen by variance; the rest are drawn.
CHOSEN = 300
#: A process that explains less than this share by leave-one-out hands over to coded masks.
POOR = 0.4


@dataclass(frozen=True)
class Adaptive:
    """The surrogate, asked in rounds: drawn masks first, then those that would tell most.

    What later rounds ask depends on the values seen. Where a Walsh-kernel process explains the
    values, masks are chosen that lower its posterior variance most, of the function or of the
    Shapley values. Where it explains hardly anything and a coded design fits the budget, coded
    masks are asked instead: the function may be sparse without the hierarchy that other fits live
    on, and `Surrogate` decodes them. Held-out masks are never chosen, so the measured fit stays
    that of uniform masks.

    Attributes:
        aim: "fit", or "shapley" for Shapley values; the latter draws sizes evenly.
        rounds: how often it is asked; half of the masks come in the first round.
        surrogate: fits.

    Source:
        Active learning for Gaussian processes: Cohn, Ghahramani and Jordan (1996).
    """

    aim: Literal["fit", "shapley"] = "fit"
    rounds: int = 3
    surrogate: Surrogate = SURROGATE

    def __post_init__(self) -> None:
        if self.aim not in ("fit", "shapley") or self.rounds < 1:
            raise InputError(
                f"aim={self.aim!r}, rounds={self.rounds} came; the aim is 'fit' or 'shapley', and "
                "there is at least one round."
            )

    def ask(self, n: int, budget: int, rng: np.random.Generator, seen: Samples) -> Masks:
        """Drawn masks at first; then the most informative ones, or coded ones."""
        inner = ~ends_of(seen)
        drawn = self.surrogate.ask(n, budget, rng, seen)
        if len(drawn) + len(seen) >= 2 ** min(n, 60) or inner.sum() < 16:
            return drawn if self.aim == "fit" else self._even(n, budget, rng, seen, drawn)
        found = condition(WalshProcess(5.0, steps=8), seen)
        if _unexplained(found) > 1 - POOR:
            coded = self._coded(n, budget, rng, seen)
            if len(coded):
                rest = drawn[~among(drawn, coded)][: budget - len(coded)]
                return np.concatenate([coded, rest])
        count = min(len(drawn), CHOSEN)
        pool = self._pool(n, 2 * count + 400, rng, seen)
        at = cube.informative(found.post, signs(pool, found.columns), count, self.aim)
        chosen = pool[at]
        left = len(drawn) - len(chosen)
        if self.aim == "shapley" and left > 1:
            known = Samples(chosen, np.zeros((len(chosen), *seen.out)))
            chosen = np.concatenate([chosen, EvenSizes()(n, left, rng, seen.join(known))])
        rest = drawn[~among(drawn, chosen)][: len(drawn) - len(chosen)]
        return np.concatenate([chosen, rest])

    def fit(self, samples: Samples) -> SetFunction:
        """The surrogate's fit."""
        return self.surrogate.fit(samples)

    def _pool(self, n: int, count: int, rng: np.random.Generator, seen: Samples) -> Masks:
        sampler = Balanced() if self.aim == "fit" else EvenSizes()
        return sampler(n, count, rng, seen)

    def _even(
        self, n: int, budget: int, rng: np.random.Generator, seen: Samples, drawn: Masks
    ) -> Masks:
        covers = len(drawn) + len(seen) >= 2 ** min(n, 60)
        return drawn if covers else EvenSizes()(n, budget, rng, seen)

    def _coded(self, n: int, budget: int, rng: np.random.Generator, seen: Samples) -> Masks:
        try:
            return Coded()(n, budget, rng, seen)
        except BudgetError:
            return np.zeros((0, n), dtype=np.bool_)


def _unexplained(found: Conditioned) -> float:
    """Share of the variance left by leave-one-out, the mean over outputs that vary."""
    varies = found.spread > 0
    if not varies.any():
        return 0.0
    wrong = found.residuals()[:, varies] / found.spread[varies]
    return float((wrong**2).mean())
