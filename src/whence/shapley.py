"""Holds the explainer for Shapley values: the surrogate on masks of even sizes, and a correction.

It does not know who values the masks (explain), which holds the values to the model's two ends.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from whence.explainer import Paired
from whence.masks import Masks
from whence.samplers.sizes import EvenSizes
from whence.samples import Samples, ends_of
from whence.setfunction import SetFunction
from whence.solvers.low_degree import LowDegree
from whence.surrogate import Surrogate

EVEN = Surrogate(EvenSizes())
KERNEL_SHAP = Paired(EvenSizes(), LowDegree(1, "shapley"))


@dataclass(frozen=True)
class ShapleyValues:
    """The surrogate on Kernel SHAP's masks, then Kernel SHAP on what the surrogate leaves over.

    The surrogate takes most of the variance out of the values, so the regression on what is left
    is far less noisy than one on the values. The two ends have no part in it: what the fit misses
    there is shared out evenly by `Explanation.attributions`, exactly as a term for each end would
    be. The fit stays good under uniform masks, but the default's is better there.

    Attributes:
        surrogate: samples and fits.
        per_unit: with fewer samples per unit there is no correction: it would be mostly noise.

    Source:
        Regression-adjusted Monte Carlo, Witter et al. (2025, arXiv 2506.11849), with a regression
        in place of Monte Carlo and the ends set apart; the surrogate is not cross-fitted, which
        leaves a bias where it fits noise. Measured in benchmarks/README.md.
    """

    surrogate: Surrogate = EVEN
    per_unit: float = 16.0

    def ask(self, n: int, budget: int, rng: np.random.Generator, seen: Samples) -> Masks:
        """Every mask if the budget covers them, else pairs of masks of even sizes."""
        return self.surrogate.ask(n, budget, rng, seen)

    def fit(self, samples: Samples) -> SetFunction:
        """The surrogate's function, and the additive correction.

        Raises:
            BudgetError: too few samples for the surrogate.
        """
        samples = samples.distinct()
        f = self.surrogate.fit(samples)
        ends = ends_of(samples)
        if len(samples) < self.per_unit * samples.n or samples.n < 3 or ends.sum() < 2:
            return f
        left = samples.values - f(samples.masks)
        left[ends] = 0.0
        correction = KERNEL_SHAP.fit(Samples(samples.masks, left))
        return replace(f + correction, fitted_by=f"{f.fitted_by}, corrected by Kernel SHAP")
