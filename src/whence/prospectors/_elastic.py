"""Holds the elastic-net kernels: ours, in count units, and the one that was published.

It does not know what is counted.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression

from whence.errors import InputError
from whence.prospectors._paper import tf_idf
from whence.prospectors._ridge import Unit, check_units, standardised
from whence.prospectors._weights import Weights, checked, positive

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class ElasticNet:
    """Logistic regression with L1 and L2 penalties on standardised frequencies, in count units.

    `KERNELS["elastic-net"]`. Many weights are 0.

    Attributes:
        C, l1_ratio: as in scikit-learn's LogisticRegression.
        balanced: whether both classes weigh the same, however many bags they have.
        units: as in `Ridge`.
        iterations: at most so many passes over the bags; the fit is used as it is then.
        seed: of the order in which bags are visited.

    Source:
        Zou and Hastie (2005); solved by scikit-learn's saga.
    """

    C: float = 0.1
    l1_ratio: float = 0.5
    balanced: bool = True
    units: Unit = "count"
    iterations: int = 300
    seed: int = 0

    def __call__(self, frequencies: Floats, targets: Floats, /) -> Weights:
        """Weights `(p, c)`.

        Raises:
            InputError: see `checked`; an option out of range.
        """
        positive("C", self.C)
        _check(self.l1_ratio, self.iterations)
        check_units(self.units)
        x, y = checked(frequencies, targets, "elastic-net")
        standard, scale = standardised(x)
        weight = "balanced" if self.balanced else None
        solver = _saga(self.C, self.l1_ratio, weight, self.iterations, self.seed)
        found = _coefficients(solver, standard, y)
        return Weights(found / scale[:, None] if self.units == "count" else found)


@dataclass(frozen=True)
class PaperElasticNet:
    """The "predictive" kernel as published, its defects kept: for comparison, not for use.

    Logistic saga with `C = 1` and no class weights, on standardised TF-IDF.

    - Its coefficients are in standardised units and are applied to raw counts as they are, so that
      what is rare counts too little.
    - A feature that is in every bag has a negative idf: its weight has the wrong sign. One that is
      in all but one bag has idf 0, and weight 0.

    `KERNELS["paper-elastic-net"]`. The published code calls `predict_proba` with vectors that are
    not standardised; here probabilities are the head's. The seed is ours.

    Attributes:
        l1_ratio: the published λ.
        iterations: at most so many passes over the bags.
        seed: of the order in which bags are visited.

    Source:
        Machiraju et al. (2024), arXiv 2402.11729, and its released code's conventions.
    """

    l1_ratio: float = 0.5
    iterations: int = 100
    seed: int = 0

    def __call__(self, frequencies: Floats, targets: Floats, /) -> Weights:
        """Weights `(p, c)`, in standardised units whatever they are applied to.

        Raises:
            InputError: see `checked`; an option out of range.
        """
        _check(self.l1_ratio, self.iterations)
        x, y = checked(frequencies, targets, "paper-elastic-net")
        standard, _ = standardised(tf_idf(x), least=0.0)
        return Weights(
            _coefficients(_saga(1.0, self.l1_ratio, None, self.iterations, self.seed), standard, y)
        )


def _check(l1_ratio: float, iterations: int) -> None:
    if not 0 <= l1_ratio <= 1:
        raise InputError(f"l1_ratio={l1_ratio} came; it is a share of the penalty, from 0 to 1.")
    if iterations < 1:
        raise InputError(f"iterations={iterations} came; at least 1 is needed.")


def _saga(
    C: float, l1_ratio: float, class_weight: str | None, iterations: int, seed: int
) -> LogisticRegression:
    solver = LogisticRegression(
        C=C,
        l1_ratio=l1_ratio,
        solver="saga",
        class_weight=class_weight,
        max_iter=iterations,
        random_state=seed,
    )
    # Since scikit-learn 1.8 the ratio alone says which penalty; before, it needs the name too.
    if solver.get_params().get("penalty", "deprecated") != "deprecated":
        solver.set_params(penalty="elasticnet")
    return solver


def _coefficients(solver: LogisticRegression, x: Floats, y: Floats) -> Floats:
    """The coefficients `(p, c)`, one fit per column."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        return np.stack([solver.fit(x, column).coef_[0] for column in y.T], axis=1)
