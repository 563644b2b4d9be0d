"""Holds calibration: margins of a head to probabilities, or to numbers in the labels' units.

It does not know where margins come from; give it margins of bags that were left out of the fit.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.special import expit

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Calibration:
    """A line per column of margins.

    Attributes:
        slope: `(c,)`, never negative, so that a larger margin never means less; 0 where the
            left-out margins hold no signal, and then every bag gets the same answer.
        intercept: `(c,)`.
    """

    slope: Floats
    intercept: Floats

    def line(self, margins: Floats) -> Floats:
        """Log-odds, or numbers in the labels' units: `(b, c)` from margins `(b, c)`."""
        return margins * self.slope + self.intercept

    def probabilities(self, margins: Floats) -> Floats:
        """`(b, 2)` from one column, else `(b, c)`: every class against the rest, summing to 1."""
        odds = self.line(margins)
        if odds.shape[1] == 1:
            return expit(np.concatenate([-odds, odds], axis=1))
        # In logs, so that classes that are all very unlikely still compare.
        share = -np.logaddexp(0.0, -odds)
        share = np.exp(share - share.max(axis=1, keepdims=True))
        return share / share.sum(axis=1, keepdims=True)


def platt(margins: Floats, targets: Floats) -> Calibration:
    """A logistic line per column, from left-out margins `(b, c)` and 0/1 targets `(b, c)`.

    Source:
        Platt (1999), with its softened targets, so that it is finite where the margins separate
        the classes. Departure: the slope is held at 0 or above.
    """
    lines = [_logistic(m, t) for m, t in zip(margins.T, targets.T, strict=True)]
    return Calibration(*np.array(lines).T)


def least_squares(margins: Floats, targets: Floats) -> Calibration:
    """A straight line per column, slope at least 0: numbers from left-out margins `(b, c)`."""
    m, t = margins - margins.mean(axis=0), targets - targets.mean(axis=0)
    spread = (m**2).sum(axis=0)
    slope = np.maximum((m * t).sum(axis=0) / np.where(spread > 0, spread, 1.0), 0.0)
    return Calibration(slope, targets.mean(axis=0) - slope * margins.mean(axis=0))


def _logistic(margin: Floats, target: Floats) -> tuple[float, float]:
    n1 = target.sum()
    n0 = len(target) - n1
    soft = np.where(target > 0, (n1 + 1) / (n1 + 2), 1 / (n0 + 2))
    scale, centre = float(margin.std()), float(margin.mean())
    prior = float(np.log(soft.mean() / (1 - soft.mean())))
    if scale <= 1e-12 * max(abs(centre), 1e-300):
        return 0.0, prior
    x = (margin - centre) / scale

    def loss(line: Floats) -> tuple[float, Floats]:
        odds = line[0] * x + line[1]
        rest = expit(odds) - soft
        value = np.logaddexp(0.0, odds) - soft * odds
        return float(value.mean()), np.array([(rest * x).mean(), rest.mean()])

    start = np.array([1.0, prior])
    found = minimize(loss, start, jac=True, method="L-BFGS-B", bounds=[(0, None), (None, None)])
    slope = float(found.x[0]) / scale
    return slope, float(found.x[1]) - slope * centre
