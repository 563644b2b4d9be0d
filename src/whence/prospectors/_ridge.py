"""Holds the ridge kernel: L2 logistic or linear regression on standardised frequencies.

It does not know what is counted.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy import linalg

from whence.errors import InputError
from whence.prospectors._logistic import logistic_residuals
from whence.prospectors._weights import Weights, checked, classes, positive, varying

Floats = NDArray[np.float64]
Unit = Literal["count", "standardized"]

#: Fits that are made together.
COLUMNS = 256
#: The least deviation that a feature is divided by, as a share of the largest feature's. One token
#: in one bag of hundreds is more; what soft codes leave of far concepts is less, by any power of
#: ten, and divided by its own deviation it would drown every bag that has more than a trace of it.
LEAST = 1e-5


@dataclass(frozen=True)
class Ridge:
    """L2-penalised regression on standardised frequencies, its coefficients in count units.

    For classes: logistic, `½|β|² + C Σ c_i loss_i` as in scikit-learn, an intercept without
    penalty, `c_i = b / (2 n_class)` when balanced. For numbers: least squares with penalty
    `4 / C`: the curvature of the logistic loss is at most a quarter, so that one C shrinks both
    alike where nothing is learned yet; weights are in the labels' unit. `KERNELS["ridge"]`.

    With more features than bags the fit is made in the space of the bags, which is exact: 5,000
    features cost little more than the bags squared.

    Attributes:
        C: how little is shrunk; None is 4 over the number of features that vary. Before it has
            seen labels, such a fit expects log-odds of about ±2 however many features there are;
            a fixed C expects the more the more there are, and localises worse (measured).
        balanced: whether both classes weigh the same, however many bags they have.
        units: "count" divides the coefficients by the features' deviations, so that they multiply
            frequencies and a map in counts adds up; "standardized" leaves that out, which damps
            what is rare, as a t statistic does.
    """

    C: float | None = None
    balanced: bool = True
    units: Unit = "count"

    def __call__(self, frequencies: Floats, targets: Floats, /) -> Weights:
        """Weights `(p, c)`.

        Raises:
            InputError: see `checked`; a C that is not positive; unknown units.
        """
        if self.C is not None:
            positive("C", self.C)
        check_units(self.units)
        x, y = checked(frequencies, targets, "ridge", numbers=True)
        return Weights(self.resampled(x, y, np.ones((1, len(x))))[0])

    def resampled(self, frequencies: Floats, targets: Floats, times: Floats, /) -> Floats:
        """Weights' values `(R, p, c)`; features keep the deviations that they have in all bags.

        So the penalty is the same in every drawing, and all are fitted together.
        """
        x, scale = standardised(frequencies)
        features = max(int(x.any(axis=0).sum()), 1)
        penalty = features / 4 if self.C is None else 1 / self.C
        penalty *= 1 if classes(targets) else 4
        basis = reduced(x)
        each = max(1, COLUMNS // targets.shape[1])
        parts = [times[i : i + each] for i in range(0, len(times), each)]
        rest = np.concatenate([self._residuals(basis, targets, m, penalty) for m in parts], axis=1)
        found = np.einsum("bp,brc->rpc", x, rest, optimize=True) / penalty
        return found / scale[:, None] if self.units == "count" else found

    def _residuals(self, x: Floats, y: Floats, times: Floats, penalty: float) -> Floats:
        """Weighted residuals `(b, R, c)` at the optima: these are `x.T @ them / penalty`."""
        if not classes(y):
            rest = [_least_squares_residuals(x, y, m, penalty) for m in times]
            return np.stack(rest, axis=1)
        weight = class_weights(y, times, self.balanced)
        labels = np.tile(y, len(times))
        rest = logistic_residuals(x, labels, weight.reshape(len(x), -1), penalty)
        return rest.reshape(weight.shape)


def standardised(x: Floats, least: float = LEAST) -> tuple[Floats, Floats]:
    """Features with mean 0 and deviation 1 over bags, and the deviations; constants are 0 and 1.

    A deviation below the `least` share of the largest counts as that much.
    """
    varies = varying(x)
    off = x - x.mean(axis=0)
    scale = np.sqrt((off * off).mean(axis=0))
    scale = np.where(varies, np.maximum(scale, least * scale.max(initial=0.0)), 1.0)
    off *= varies / scale
    return off, scale


def check_units(units: str) -> None:
    """Refuse units that are neither "count" nor "standardized"."""
    if units not in ("count", "standardized"):
        raise InputError(f'units={units!r} came; they are "count" or "standardized".')


def class_weights(y: Floats, times: Floats, balanced: bool) -> Floats:
    """How much each bag counts `(b, R, c)`, in every drawing and column."""
    if not balanced:
        return np.repeat(times.T[:, :, None], y.shape[1], axis=2)
    ones, bags = times @ y, times.sum(axis=1, keepdims=True)
    either = np.where(y[:, None] == 1, bags / 2 / ones, bags / 2 / (bags - ones))
    return times.T[:, :, None] * either


def reduced(x: Floats) -> Floats:
    """`(b, min(b, p))` with the same inner products between bags: all that an L2 fit depends on."""
    bags, features = x.shape
    if features <= bags:
        return x
    gram = x @ x.T
    # Centred rows are dependent; so little moves the fit by less than its rounding.
    gram[np.diag_indices(bags)] += 1e-14 * gram.trace() + 1e-300
    return linalg.cholesky(gram, lower=True, overwrite_a=True, check_finite=False)


def _least_squares_residuals(x: Floats, y: Floats, times: Floats, penalty: float) -> Floats:
    shares = times / times.sum()
    x, y = x - shares @ x, y - shares @ y
    gram = (x.T * times) @ x
    gram[np.diag_indices_from(gram)] += penalty
    solution = linalg.solve(gram, x.T @ (times[:, None] * y), assume_a="pos")
    return times[:, None] * (y - x @ solution)
